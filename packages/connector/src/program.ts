import { readFile } from "node:fs/promises";
import { loadSettings } from "@threatbus/core";
import { EXIT, explain } from "@threatbus/core/process";
import { Command, CommanderError, Option } from "commander";
import { z } from "zod";
import type { ConnectorDefinition } from "./definition.ts";
import type { SharedSettings } from "./options.ts";
import { type Loaded, run } from "./run.ts";

const manifestSchema = z.object({ version: z.string() });

/** Makes `threatbus-<name>` of a connector: `run` (the default), `check-config`, and its own commands. Ends the process. */
export async function runProgram<Settings extends SharedSettings>(
  definition: ConnectorDefinition<Settings>,
  args: readonly string[] = process.argv.slice(2),
): Promise<void> {
  process.exit(await outcome(definition, args));
}

/** @returns the exit code */
async function outcome<Settings extends SharedSettings>(
  definition: ConnectorDefinition<Settings>,
  args: readonly string[],
): Promise<number> {
  try {
    const program = await createProgram(definition);
    await program.parseAsync([...args], { from: "user" });
    return EXIT.ok;
  } catch (thrown) {
    // Commander has printed its message, or the help that was asked for.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { text, exitCode } = explain(thrown);
    process.stderr.write(`threatbus-${definition.name}: ${text}\n`);
    return exitCode;
  }
}

async function createProgram<Settings extends SharedSettings>(
  definition: ConnectorDefinition<Settings>,
): Promise<Command> {
  const { version } = manifestSchema.parse(JSON.parse(await readFile(definition.manifest, "utf8")));
  const program = new Command(`threatbus-${definition.name}`);
  program
    .description(`${definition.description}.`)
    .version(version)
    .addOption(configOption())
    .addHelpText("after", `\nWithout a command: the same as threatbus-${definition.name} run.`)
    // Options before the command are those of the program: -c may stand there as well as behind it.
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .exitOverride();
  program
    .command("run", { isDefault: true })
    .description("run the connector until SIGINT or SIGTERM")
    .addOption(configOption())
    .action(async (_: unknown, command: Command) => run(definition, load(definition, command)));
  program
    .command("check-config")
    .description("check the configuration and report all its errors (exit code 78)")
    .addOption(configOption())
    .action((_: unknown, command: Command) => {
      const { file, warnings } = load(definition, command);
      for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
      process.stdout.write(`${file ?? "built-in defaults (there is no config.yaml)"}: no errors\n`);
    });
  for (const own of definition.commands ?? []) {
    const command = program.command(own.name).addOption(configOption());
    own.define(command);
    command.action(async () => own.run(load(definition, command).settings, command.args, command.opts()));
  }
  return program;
}

const configOption = () =>
  new Option("-c, --config <file>", "configuration file; without it ./config.yaml, else the built-in defaults");

/** @throws ThreatBusError with all errors of the configuration in its message */
function load<Settings extends SharedSettings>(
  definition: ConnectorDefinition<Settings>,
  command: Command,
): Loaded<Settings> {
  const { config }: { config?: string } = { ...command.parent?.opts(), ...command.opts() };
  const result = loadSettings({
    schema: definition.settingsSchema,
    path: config,
    cwd: process.cwd(),
    env: process.env,
    variables: { prefix: definition.variablePrefix, aliases: definition.variableAliases ?? {} },
    hint: `Correct the listed settings, then check the file with \`threatbus-${definition.name} check-config\`.`,
  });
  if (!result.ok) throw result.error;
  return result;
}

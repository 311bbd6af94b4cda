import { readFile } from "node:fs/promises";
import { Argument, Command, Option } from "commander";
import { z } from "zod";
import { configOption, portNumber, positive, positiveInteger } from "./arguments.ts";
import { addLog } from "./commands/log/commands.ts";

const manifestSchema = z.object({ version: z.string(), description: z.string() });

/** The whole command line. Each command imports its own code only when it runs, so that the bus starts fast. */
export async function createProgram(): Promise<Command> {
  const text = await readFile(new URL("../package.json", import.meta.url), "utf8");
  const { version, description } = manifestSchema.parse(JSON.parse(text));
  const program = new Command("threatbus");
  program
    .description(`${description}.`)
    .version(version)
    .addOption(configOption())
    .addHelpText("after", "\nWithout a command: threatbus [-c <file>], the same as threatbus run.")
    // Options before the command are those of the program: -c may stand there as well as behind it.
    .enablePositionalOptions()
    .hook("preSubcommand", (_, command) => refuseUnusedConfig(program, command))
    .showSuggestionAfterError()
    .exitOverride();
  addBus(program);
  addClients(program);
  addChecks(program);
  addLog(program);
  addHelpers(program);
  return program;
}

interface BusOptions {
  readonly config?: string;
}

/** The file given behind the command, else the one given before it. */
const busOptions = (options: BusOptions, command: Command): BusOptions => ({ ...command.parent?.opts(), ...options });

/** `-c` before a command that has no use for it is a mistake, and would be passed over in silence. */
function refuseUnusedConfig(program: Command, command: Command): void {
  const takesConfig = command.options.some(({ long }) => long === "--config");
  if (program.getOptionValue("config") === undefined || takesConfig) return;
  program.error(`error: option '-c, --config <file>' has no meaning for '${command.name()}'`);
}

function addBus(program: Command): void {
  program
    .command("run", { isDefault: true })
    .description("run the bus until SIGINT or SIGTERM")
    .addOption(configOption())
    .action(async (options: BusOptions, command: Command) =>
      (await import("./commands/run.ts")).run(busOptions(options, command)),
    );
  program
    .command("check-config")
    .description("check the configuration and report all its errors (exit code 78)")
    .addOption(configOption())
    .action(async (options: BusOptions, command: Command) =>
      (await import("./commands/check-config.ts")).checkConfig(busOptions(options, command)),
    );
  program
    .command("plugins")
    .description("list the plugins: what is there, where it comes from, whether it is configured")
    .addOption(configOption())
    .action(async (options: BusOptions, command: Command) =>
      (await import("./commands/plugins.ts")).plugins(busOptions(options, command)),
    );
}

function addClients(program: Command): void {
  const client = (name: string) =>
    program
      .command(name)
      .option("--host <host>", "host of the bus", "127.0.0.1")
      .option("--manage <port>", "management port of the bus", portNumber, 13_370)
      .option("--timeout <seconds>", "longest wait for the bus", positive, 10);
  client("publish")
    .description("publish STIX objects, bundles or JSON lines")
    .argument("<file>", "file to read; - is standard input")
    .action(async (file, options) => (await import("./commands/publish.ts")).publish(file, options));
  client("subscribe")
    .description("print the messages of topics")
    .argument("<topic...>", "topic prefixes: stix2/indicator, stix2/sighting, stix2")
    .option("--snapshot <duration>", "history to begin with: 12h, 30d")
    .option("--from <start>", "begin in the durable log: position, earliest, latest, time, or time ago: 2h")
    .option("--position-file <file>", "remember the position in this file, and resume from it the next time")
    .option("--filter <json>", 'content filter: \'{"object_paths": ["ipv4-addr:value"]}\'')
    .addOption(
      new Option("--format <format>", "json (one object per line) or pretty; default: pretty on a terminal").choices([
        "json",
        "pretty",
      ]),
    )
    .option("--count <n>", "end after this many messages", positiveInteger)
    .addHelpText("after", SUBSCRIBE_EXAMPLES)
    .action(async (topics, options) => (await import("./commands/subscribe.ts")).subscribe(topics, options));
}

const SUBSCRIBE_EXAMPLES = `
Examples:
  threatbus subscribe stix2/indicator --snapshot 30d
      30 days of history, then what comes
  threatbus subscribe stix2 --from 2h
      what the bus received in the last two hours, then what comes
  threatbus subscribe stix2 --from 2026-11-23T10:00:00Z
      the same, since a time
  threatbus subscribe stix2 --from earliest --format json
      everything that the durable log has
  threatbus subscribe stix2 --position-file stix2.position
      what has come since the last run

With --position-file, --from and --snapshot say where the first run begins.
The bus tells positions behind batches of messages: after a run that ended in
the middle of one (as with --count), its messages come again.`;

function addChecks(program: Command): void {
  program
    .command("validate")
    .description("check STIX indicators and sightings: objects, bundles or JSON lines")
    .argument("<file>", "file to read; - is standard input")
    .option("--jsonl", "print one JSON verdict per line")
    .action(async (file, options) => (await import("./commands/validate.ts")).validate(file, options));
  program
    .command("pattern")
    .description("check STIX patterns")
    .argument("<pattern>", "the pattern; - reads one from each line of standard input")
    .option("--jsonl", "print one JSON verdict per line")
    .action(async (pattern, options) => (await import("./commands/pattern.ts")).pattern(pattern, options));
}

function addHelpers(program: Command): void {
  program
    .command("demo")
    .description("start a bus, an intelligence platform and a sensor, and show what passes between them")
    .option("--zeek", "the sensor is Zeek: the one that is installed, else a stand-in")
    .option("--keep", "leave all of it running until ctrl-C")
    .action(async (options: { keep?: boolean; zeek?: boolean }) => (await import("./commands/demo.ts")).demo(options));
  program
    .command("completion")
    .description("print the completion script of a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .action(async (shell: "bash" | "zsh" | "fish") =>
      (await import("./commands/completion.ts")).completion(shell, program),
    );
}

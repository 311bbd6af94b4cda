import { EXIT, explain } from "@threatbus/core/process";
import { CommanderError } from "commander";
import { createProgram } from "./program.ts";
import { complain, endOnClosedPipe } from "./terminal.ts";

/**
 * The word that stands where a command does; undefined where there is none. Commander would give one that it does not
 * know to the default command.
 */
function commandWord([first, ...rest]: readonly string[]): string | undefined {
  if (first === "-c" || first === "--config") return commandWord(rest.slice(1));
  if (first === "help" || first?.startsWith("--config=")) return commandWord(rest);
  return first?.startsWith("-") ? undefined : first;
}

/** Runs one command line; sets the exit code of the process. Never rejects. */
export async function main(args: readonly string[]): Promise<void> {
  endOnClosedPipe();
  try {
    const program = await createProgram();
    const word = commandWord(args);
    if (word !== undefined) {
      const known = program.commands.map((command) => command.name());
      if (!known.includes(word)) program.error(`error: unknown command '${word}' (there are ${known.join(", ")})`);
    }
    await program.parseAsync(args, { from: "user" });
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      // Commander has printed its message, or the help that was asked for.
      process.exitCode = thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    const { text, exitCode } = explain(thrown);
    complain(`threatbus: ${text}`);
    process.exitCode = exitCode;
  }
}

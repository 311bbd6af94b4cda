import { CommanderError } from "commander";
import { EXIT, explain } from "./exit.ts";
import { createProgram } from "./program.ts";
import { complain, endOnClosedPipe } from "./terminal.ts";

/** Runs one command line; sets the exit code of the process. Never rejects. */
export async function main(args: readonly string[]): Promise<void> {
  endOnClosedPipe();
  try {
    const program = await createProgram();
    const [first] = args;
    if (first !== undefined && !first.startsWith("-") && first !== "help") {
      const known = program.commands.map((command) => command.name());
      if (!known.includes(first)) program.error(`error: unknown command '${first}' (there are ${known.join(", ")})`);
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

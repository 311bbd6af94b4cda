/** What the command's exit code says; 78 is EX_CONFIG of sysexits.h, 130 is 128 + SIGINT, as shells have it. */
export const EXIT = { ok: 0, failure: 1, usage: 2, config: 78, interrupted: 130 } as const;

/** Ends a command with one message on standard error. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failure, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

/** What any error says to the person at the terminal, and the exit code that goes with it. */
export function explain(thrown: unknown): { readonly text: string; readonly exitCode: number } {
  if (!(thrown instanceof Error)) return { text: String(thrown), exitCode: EXIT.failure };
  const between = thrown.message.includes("\n") ? "\n" : ". ";
  const hint = "hint" in thrown && typeof thrown.hint === "string" ? between + capitalised(thrown.hint) : "";
  return { text: thrown.message + hint, exitCode: exitCodeOf(thrown) };
}

function exitCodeOf(error: Error): number {
  if ("exitCode" in error && typeof error.exitCode === "number") return error.exitCode;
  // The client checks what the options of the command line say.
  return "code" in error && error.code === "INVALID_OPTIONS" ? EXIT.usage : EXIT.failure;
}

/** The name of a setting stays as it is. */
function capitalised(text: string): string {
  if (/^\w+\.\w/.test(text)) return text;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

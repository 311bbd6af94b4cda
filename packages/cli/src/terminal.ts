/** Standard output and standard error of the command. */
import { once } from "node:events";
import { EXIT } from "./exit.ts";

const RESET = "\u001b[0m";
const STYLES = { bold: "\u001b[1m", dim: "\u001b[2m", red: "\u001b[31m", green: "\u001b[32m", cyan: "\u001b[36m" };
export type Style = keyof typeof STYLES;

/** A reader that has gone (`| head`) ends the command quietly. */
export function endOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(EXIT.ok);
      if (stream === process.stdout) complain(`threatbus: cannot write standard output: ${error.message}`);
      process.exit(EXIT.failure);
    });
  }
}

/** Writes one line to standard output; waits where the reader is slow. */
export async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
}

/** Writes one line to standard error. */
export function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Colours only for a person, and not for one who does not want them (no-color.org). */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  const wanted = stream.isTTY === true && (process.env.NO_COLOR ?? "") === "";
  return wanted ? `${STYLES[style]}${text}${RESET}` : text;
}

/** Control characters and marks that reorder text: a message from outside must not drive the terminal. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Text from outside, safe for a terminal, on one line. */
export function safe(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Standard output and standard error of the command. */
import { once } from "node:events";
import { EXIT } from "@threatbus/core/process";

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
  if (!process.stdout.write(`${shown(line)}\n`)) await once(process.stdout, "drain");
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

/** What JSON text may hold as it is, and a terminal may obey. */
const RAW_IN_JSON = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * JSON text, or what `safe` gave, for standard output. On a terminal such characters are escaped; in JSON they stand in
 * strings only, so that it means the same. Elsewhere it is what was published, byte for byte.
 */
export function shown(text: string, onTerminal = process.stdout.isTTY === true): string {
  return onTerminal ? text.replace(RAW_IN_JSON, escaped) : text;
}

/** Control characters and marks that reorder text: a message from outside must not drive the terminal. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Text from outside, safe for a terminal, on one line. */
export function safe(text: string): string {
  return text.replace(UNSAFE, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

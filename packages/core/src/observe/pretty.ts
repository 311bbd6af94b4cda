import { printable } from "./printable.ts";

/** Width of the longest level word, CRITICAL. */
const LEVEL_WIDTH = 8;
/** Longest text of one field on a line. */
const MAX_FIELD = 1_000;
const COLOURS: Readonly<Record<string, string>> = {
  DEBUG: "\u001b[2m",
  INFO: "\u001b[32m",
  WARNING: "\u001b[33m",
  ERROR: "\u001b[31m",
  CRITICAL: "\u001b[1;31m",
};
const RESET = "\u001b[0m";

/** A log record as the json format writes it, parsed. */
type LogRecord = Readonly<Record<string, unknown>>;

/**
 * `2026-05-04 12:00:00.123 WARNING  [zmq] text key=value`: one line, UTC, without line break at its end.
 * @param options.stacks also print the stack of an error, indented, below its line.
 */
export function prettyLine(
  record: LogRecord,
  options: { readonly colours: boolean; readonly stacks: boolean },
): string {
  const { time, level, component, msg, err, ...fields } = record;
  const stamp = String(time).replace("T", " ").replace("Z", "");
  const word = String(level).padEnd(LEVEL_WIDTH);
  const shown = options.colours ? `${COLOURS[String(level)] ?? ""}${word}${RESET}` : word;
  const parts = [stamp, shown, `[${printable(String(component ?? "threatbus"))}]`, printable(String(msg ?? ""))];
  for (const [key, value] of Object.entries(fields)) parts.push(`${printable(key)}=${fieldText(value)}`);
  if (err !== undefined) parts.push(`err=${fieldText(errorText(err))}`);
  return parts.join(" ") + (options.stacks ? stackText(err) : "");
}

function fieldText(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  const short = text.length > MAX_FIELD ? `${text.slice(0, MAX_FIELD)}...` : text;
  if (typeof value !== "string") return printable(short);
  return /^[^\s"=]+$/.test(short) ? printable(short) : printable(JSON.stringify(short));
}

function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}

function errorText(err: unknown): unknown {
  const message = member(err, "message");
  if (typeof message !== "string") return err;
  const code = member(err, "code");
  return typeof code === "string" && !message.includes(code) ? `${message} (${code})` : message;
}

function stackText(err: unknown): string {
  const stack = member(err, "stack");
  if (typeof stack !== "string") return "";
  const frames = stack.split("\n").filter((line) => line.trimStart().startsWith("at "));
  return frames.map((frame) => `\n    ${printable(frame.trim())}`).join("");
}

import type { ParsedStix, StixError } from "@threatbus/stix";
import { parseStix } from "@threatbus/stix";
import type { Candidate } from "./input.ts";
import { MAX_LINE } from "./input.ts";
import { safe } from "./terminal.ts";

export type Checked =
  | { readonly ok: true; readonly line: number; readonly parsed: ParsedStix }
  | { readonly ok: false; readonly line: number; readonly error: StixError; readonly bytes: Buffer | undefined };

/** Applies the rules of STIX to one object of the input. */
export function check({ line, bytes }: Candidate): Checked {
  if (bytes === undefined) {
    const error = { pointer: "", rule: "json.size", message: `the line is longer than ${MAX_LINE} bytes` };
    return { ok: false, line, error, bytes };
  }
  const result = parseStix(bytes);
  return result.ok ? { ok: true, line, parsed: result.value } : { ok: false, line, error: result.error, bytes };
}

/** `line 3: expected ... at "/pattern", rule pattern.syntax (value: ...)`. */
export function rejection(line: number, error: StixError): string {
  const place = error.pointer === "" ? "" : ` at ${JSON.stringify(error.pointer)}`;
  const value = error.value === undefined ? "" : ` (value: ${error.value})`;
  return safe(`line ${line}: ${error.message}${place}, rule ${error.rule}${value}`);
}

/** One line of `validate --jsonl`. */
export function verdictJson(checked: Checked): string {
  const { line, ok } = checked;
  if (ok) {
    const { type, object } = checked.parsed;
    return JSON.stringify({ line, ok, type, id: object.id, error: null });
  }
  const { pointer, rule, message } = checked.error;
  return JSON.stringify({ line, ok, ...named(checked.bytes), error: { pointer, rule, message } });
}

/** The type and id that a refused object gives itself; null where it has none. */
function named(bytes: Buffer | undefined): { type: string | null; id: string | null } {
  const none = { type: null, id: null };
  if (bytes === undefined) return none;
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (typeof value !== "object" || value === null) return none;
    return { type: textOf(Reflect.get(value, "type")), id: textOf(Reflect.get(value, "id")) };
  } catch {
    return none;
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

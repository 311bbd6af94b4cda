import { isUtf8 } from "node:buffer";
import { EXIT } from "@threatbus/core/process";
import { pointIoc, validatePattern } from "@threatbus/stix";
import { MAX_LINE, readInput, readLines } from "../input.ts";
import { print, safe, styled } from "../terminal.ts";

interface Verdict {
  readonly ok: boolean;
  /** Whatever `ok` says (stix.md 3.4): the checks on top of the grammar do not matter to it. */
  readonly point_ioc: { readonly object_path: string; readonly value: string } | null;
  readonly error: { readonly position: number; readonly message: string } | null;
}

/** `threatbus pattern`: exit code 1 when any pattern was refused. With "-" every input line is one, blank ones too. */
export async function pattern(text: string, options: { readonly jsonl?: boolean }): Promise<void> {
  for await (const line of text === "-" ? readPatterns() : [text]) {
    const verdict = judge(line);
    if (!verdict.ok) process.exitCode = EXIT.failure;
    await print(options.jsonl ? JSON.stringify(verdict) : describe(verdict));
  }
}

async function* readPatterns(): AsyncGenerator<string | Verdict> {
  for await (const { bytes } of readLines(readInput("-"))) {
    if (bytes === undefined) yield refusal(0, `longer than ${MAX_LINE} bytes`);
    else if (isUtf8(bytes)) yield bytes.toString();
    else yield refusal(bytes.toString().indexOf("\ufffd"), "not UTF-8");
  }
}

function refusal(position: number, message: string): Verdict {
  return { ok: false, point_ioc: null, error: { position, message } };
}

/** @param text a pattern, or what is wrong with a line that is not even text */
function judge(text: string | Verdict): Verdict {
  if (typeof text !== "string") return text;
  const result = validatePattern(text);
  const ioc = pointIoc(text);
  return {
    ok: result.ok,
    point_ioc: ioc === null ? null : { object_path: ioc.objectPath, value: ioc.value },
    error: result.ok ? null : { position: result.error.position, message: result.error.message },
  };
}

function describe({ ok, point_ioc, error }: Verdict): string {
  if (!ok) return `${styled("red", "rejected")} ${safe(`at position ${error?.position}: ${error?.message}`)}`;
  const point = point_ioc === null ? "" : safe(` (point IoC: ${point_ioc.object_path} = ${point_ioc.value})`);
  return `${styled("green", "accepted")}${point}`;
}

/** Reading the whole log for a value that no index knows: those in compound patterns and in other pattern languages. */
import { type ComparisonExpression, type ObservationExpression, parsePattern } from "@threatbus/stix";
import type { LogRecord, Store } from "@threatbus/store";
import { Progress } from "../../progress.ts";
import { objectOf } from "./format.ts";

/** The ids of all indicators of which any state has one of the values, in any case; in the order of the log. */
export async function scanFor(store: Store, values: readonly string[], signal: AbortSignal): Promise<string[]> {
  const wanted = new Set(values.map((value) => value.toLowerCase()));
  const { first, last } = await store.statistics();
  const progress = new Progress({ total: last - first + 1 });
  const found = new Set<string>();
  let count = 0;
  for await (const records of store.records({ type: "indicator" })) {
    for (const record of records) if (mayHave(record, wanted) && has(record, wanted)) found.add(record.stixId);
    count += records.length;
    progress.update((records.at(-1)?.position ?? first) - first, count);
    if (signal.aborted) break;
  }
  progress.clear();
  return [...found];
}

/** Most records are passed over without being parsed. */
function mayHave({ bytes }: LogRecord, wanted: ReadonlySet<string>): boolean {
  const text = bytes.toString();
  // An escape in the JSON text or in the pattern may stand for any character.
  if (text.includes("\\")) return true;
  const lower = text.toLowerCase();
  return [...wanted].some((value) => lower.includes(value));
}

function has(record: LogRecord, wanted: ReadonlySet<string>): boolean {
  const object = objectOf(record);
  if (object?.type !== "indicator") return false;
  const parsed = parsePattern(object.pattern);
  if (parsed.ok) return comparisonValues(parsed.value).some((value) => wanted.has(value.toLowerCase()));
  // A rule of another language is only text.
  const text = object.pattern.toLowerCase();
  return [...wanted].some((value) => text.includes(value));
}

/** Every constant that the pattern compares something with. */
function comparisonValues(expression: ObservationExpression | ComparisonExpression): string[] {
  switch (expression.kind) {
    case "observation":
      return comparisonValues(expression.comparison);
    case "observation-group":
    case "comparison-group":
      return comparisonValues(expression.inner);
    case "observation-chain":
    case "comparison-chain":
      return expression.operands.flatMap((operand) => comparisonValues(operand));
    case "comparison":
      return expression.operands.map(({ kind, text }) =>
        kind === "string" ? text.slice(1, -1).replace(/\\(['\\])/g, "$1") : text,
      );
    case "exists":
      return [];
  }
}

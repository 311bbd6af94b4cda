import { randomUUID } from "node:crypto";
import { EXIT } from "@threatbus/core/process";
import type { StixType } from "@threatbus/stix";
import type { LogRecord, Store } from "@threatbus/store";
import { interruption } from "../../connection.ts";
import { oneLine } from "../../message-line.ts";
import { Progress } from "../../progress.ts";
import { complain, safe } from "../../terminal.ts";
import { counted } from "./format.ts";
import { type LogOptions, readLog } from "./open.ts";
import { openOutput } from "./output.ts";
import { timeOf } from "./span.ts";

export interface ExportOptions extends LogOptions {
  readonly since?: string;
  readonly until?: string;
  readonly type?: StixType;
  readonly format: "jsonl" | "bundle";
  readonly states?: "all" | "newest";
  readonly output?: string;
}

/** Receive times from `since` to before `until`, in milliseconds since the epoch. */
interface Selection {
  readonly since: number;
  readonly until: number;
  readonly type: StixType | undefined;
  readonly states: "all" | "newest";
  /** Where the output is the terminal, the bar would stand in between. */
  readonly showsProgress: boolean;
}

/**
 * `threatbus log export`: holds no more of the log in memory than what is being written. Exit code 130 when interrupted.
 * @throws CommandError when the output cannot be written; StoreError when the log cannot be read
 */
export async function exportLog(options: ExportOptions): Promise<void> {
  const selection = selectionOf(options);
  const signal = interruption();
  const count = await readLog(options, async (store) => {
    const output = await openOutput(options.output);
    let count = 0;
    try {
      for await (const { text, written } of texts(store, selection, options.format, signal)) {
        await output.write(text);
        count = written;
      }
    } catch (thrown) {
      await output.discard();
      throw thrown;
    }
    await (signal.aborted ? output.discard() : output.finish());
    return count;
  });
  if (signal.aborted) process.exitCode = EXIT.interrupted;
  else if (options.output !== undefined) complain(`${counted(count, "object")} in ${safe(options.output)}`);
}

function selectionOf({ since, until, type, format, states, output }: ExportOptions): Selection {
  const now = Date.now();
  return {
    since: since === undefined ? 0 : timeOf("--since", since, now),
    until: until === undefined ? Number.POSITIVE_INFINITY : timeOf("--until", until, now),
    type,
    states: states ?? (format === "bundle" ? "newest" : "all"),
    showsProgress: output !== undefined || process.stdout.isTTY !== true,
  };
}

/** What is to be written, in parts; `written`: objects up to there. */
async function* texts(store: Store, selection: Selection, format: ExportOptions["format"], signal: AbortSignal) {
  let written = 0;
  const isBundle = format === "bundle";
  if (isBundle) yield { text: `{"type":"bundle","id":"bundle--${randomUUID()}"`, written };
  for await (const records of selected(store, selection)) {
    if (signal.aborted) return;
    const lines = records.map(({ bytes }) => oneLine(bytes));
    const before = written === 0 ? ',"objects":[\n' : ",\n";
    if (lines.length > 0) yield { text: isBundle ? before + lines.join(",\n") : `${lines.join("\n")}\n`, written };
    written += lines.length;
  }
  // STIX 2.1 section 8: a list is never empty, and a bundle needs none.
  if (isBundle) yield { text: written === 0 ? "}\n" : "\n]}\n", written };
  else yield { text: "", written };
}

async function* selected(store: Store, selection: Selection): AsyncGenerator<LogRecord[]> {
  const { since, until, type, states, showsProgress } = selection;
  const { first, last } = await store.statistics();
  const progress = new Progress({ total: last - first + 1 });
  const wanted = type === undefined ? {} : { type };
  const after = since > 0 ? await store.positionBefore(since) : 0;
  const parts = states === "newest" ? store.snapshot({ since, ...wanted }) : store.records({ after, ...wanted });
  let count = 0;
  try {
    for await (const records of parts) {
      const chosen = records.filter(({ receivedAt }) => receivedAt >= since && receivedAt < until);
      yield chosen;
      count += chosen.length;
      if (showsProgress) progress.update((records.at(-1)?.position ?? first) - first, count);
    }
  } finally {
    if (showsProgress) progress.clear();
  }
}

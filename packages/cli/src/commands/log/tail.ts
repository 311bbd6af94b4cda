import type { StixType } from "@threatbus/stix";
import type { Store } from "@threatbus/store";
import { interruption } from "../../connection.ts";
import { print } from "../../terminal.ts";
import { recordJson, recordLine } from "./format.ts";
import { type LogOptions, readLog } from "./open.ts";

export interface TailOptions extends LogOptions {
  readonly lines: number;
  readonly follow?: boolean;
  readonly type?: StixType;
  readonly json?: boolean;
}

/** How much further back is looked when what was looked at has too few. */
const FURTHER = 4;

/** `threatbus log tail`: being interrupted is how --follow ends. @throws StoreError when the log cannot be read */
export async function tail(options: TailOptions): Promise<void> {
  const signal = interruption();
  const show = options.json ? recordJson : recordLine;
  await readLog(options, async (store) => {
    const after = await beforeNewest(store, options);
    const selection = { after, ...(options.type === undefined ? {} : { type: options.type }) };
    const parts = options.follow ? store.tail(selection, signal) : store.records(selection);
    for await (const records of parts) {
      for (const record of records) {
        if (signal.aborted) return;
        await print(show(record));
      }
    }
  });
}

/** The position behind which the wanted number of records lies, or all there are. */
async function beforeNewest(store: Store, { lines, type }: TailOptions): Promise<number> {
  const { first, last, records } = await store.statistics();
  if (lines === 0 || records === 0) return last;
  for (let span = lines; ; span *= FURTHER) {
    const after = Math.max(first - 1, last - span);
    // Positions have gaps, and the type leaves some out.
    const found: number[] = [];
    for await (const part of store.records({ after, ...(type === undefined ? {} : { type }) })) {
      for (const { position } of part) found.push(position);
    }
    const oldest = found.at(-lines);
    if (oldest !== undefined) return oldest - 1;
    if (after === first - 1) return after;
  }
}

import { EXIT } from "@threatbus/core/process";
import type { LogRecord } from "@threatbus/store";
import { oneLine } from "../../message-line.ts";
import { table } from "../../table.ts";
import { complain, print, safe, styled } from "../../terminal.ts";
import { MOST_RECORDS, mayBeCut } from "./answers.ts";
import { counted, modifiedText, objectOf, stateName, stateText, timeText, withMember } from "./format.ts";
import { type LogOptions, readLog } from "./open.ts";
import { type Receipt, receiptJson, receiptLines, receiptsOf } from "./receipts.ts";

export interface GetOptions extends LogOptions {
  readonly json?: boolean;
}

/** `threatbus log get`: exit code 1 when the object is not there. @throws StoreError when the log cannot be read */
export async function get(id: string, options: GetOptions): Promise<void> {
  const { path, states, receipts } = await readLog(options, async (store) => {
    const states = await store.byId(id, MOST_RECORDS);
    const [newest] = states;
    return { path: store.path, states, receipts: newest === undefined ? [] : await receiptsOf(store, newest) };
  });
  const [newest] = states;
  if (newest === undefined) {
    process.exitCode = EXIT.failure;
    if (options.json) await print(JSON.stringify({ id, complete: true, receipts: [], states: [] }));
    else complain(safe(`${id} is not in the log ${path}`));
    return;
  }
  if (options.json) await print(asJson(newest, states, receipts));
  else for (const line of describe(newest, states, receipts)) await print(line);
}

function asJson(newest: LogRecord, states: readonly LogRecord[], receipts: readonly Receipt[]): string {
  const now = Date.now();
  const list = states.map((record) => {
    const { position, source, messageId, modified, validUntil } = record;
    const about = { position, receivedAt: timeText(record.receivedAt), source, messageId };
    const rest = { modified: modifiedText(modified), state: stateName(record, now), validUntil: orNull(validUntil) };
    return withMember({ ...about, ...rest }, "object", oneLine(record.bytes));
  });
  const about = {
    id: newest.stixId,
    type: newest.type,
    complete: !mayBeCut(states),
    receipts: receipts.map(receiptJson),
  };
  return withMember(about, "states", `[${list.join(",")}]`);
}

function orNull(time: number | undefined): string | null {
  return time === undefined ? null : timeText(time);
}

function describe(newest: LogRecord, states: readonly LogRecord[], receipts: readonly Receipt[]): string[] {
  const now = Date.now();
  const rows = states.map((record) => [
    timeText(record.receivedAt),
    safe(record.source),
    String(record.position),
    modifiedText(record.modified),
    stateText(record, now),
  ]);
  const delivery = receiptLines(receipts);
  return [
    `${styled("bold", safe(newest.stixId))}  ${about(newest)}`,
    `${mayBeCut(states) ? "at least " : ""}${counted(states.length, "state")}, newest first:`,
    ...indented(table([["RECEIVED", "FROM", "POSITION", "MODIFIED", "STATE"], ...rows])),
    `the newest was delivered ${delivery.summary}${delivery.rows.length > 0 ? ":" : ""}`,
    ...indented(table(delivery.rows)),
  ];
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** What the object says: its pattern, or what was sighted. */
function about(record: LogRecord): string {
  const object = objectOf(record);
  if (object === undefined) return "(its text cannot be read)";
  if (object.type === "sighting") return safe(`of ${object.sighting_of_ref}`);
  return safe(object.name === undefined ? object.pattern : `${object.pattern}  ${object.name}`);
}

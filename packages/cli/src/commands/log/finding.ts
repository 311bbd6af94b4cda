/** What `threatbus log find` says of one indicator. */
import type { LogRecord, Store } from "@threatbus/store";
import { table } from "../../table.ts";
import { safe, styled } from "../../terminal.ts";
import { MOST_RECORDS, mayBeCut } from "./answers.ts";
import { counted, objectOf, stateName, stateText, timeText } from "./format.ts";
import { type Receipt, receiptJson, receiptLines, receiptsOf } from "./receipts.ts";
import { type Sightings, sightingsOf } from "./sightings.ts";

export interface Finding {
  readonly newest: LogRecord;
  readonly pattern: string | undefined;
  readonly states: number;
  /** There may be more states than those. */
  readonly isPart: boolean;
  readonly firstReceived: LogRecord;
  readonly lastReceived: LogRecord;
  readonly sources: readonly string[];
  readonly receipts: readonly Receipt[];
  readonly sightings: Sightings;
}

/** @param id of an indicator; undefined when the log has none */
export async function findingOf(store: Store, id: string): Promise<Finding | undefined> {
  const states = await store.byId(id, MOST_RECORDS);
  const [newest] = states;
  if (newest === undefined) return undefined;
  const byTime = states.toSorted((a, b) => a.position - b.position);
  const object = objectOf(newest);
  return {
    newest,
    pattern: object?.type === "indicator" ? object.pattern : undefined,
    states: states.length,
    isPart: mayBeCut(states),
    firstReceived: byTime[0] ?? newest,
    lastReceived: byTime.at(-1) ?? newest,
    sources: [...new Set(byTime.map(({ source }) => source))],
    receipts: await receiptsOf(store, newest),
    sightings: await sightingsOf(store, id),
  };
}

/** One member of `indicators` in JSON output. */
export function findingJson({ newest, pattern, isPart, ...rest }: Finding): object {
  return {
    id: newest.stixId,
    pattern: pattern ?? null,
    state: stateName(newest, Date.now()),
    validUntil: newest.validUntil === undefined ? null : timeText(newest.validUntil),
    states: rest.states,
    complete: !isPart,
    firstReceivedAt: timeText(rest.firstReceived.receivedAt),
    lastReceivedAt: timeText(rest.lastReceived.receivedAt),
    sources: rest.sources,
    receipts: rest.receipts.map(receiptJson),
    sightings: sightingsJson(rest.sightings),
  };
}

function sightingsJson({ count, seen, isPart, sources, newest }: Sightings): object {
  return { count, seen, complete: !isPart, sources, lastReceivedAt: newest === undefined ? null : timeText(newest) };
}

/** The same for a person. */
export function findingLines(finding: Finding): string[] {
  const { newest, pattern, receipts } = finding;
  const delivery = receiptLines(receipts);
  return [
    `${styled("bold", safe(newest.stixId))}  ${safe(pattern ?? "")}`,
    ...table([
      ...receivedRows(finding),
      ["  now", stateText(newest, Date.now())],
      ["  delivered", delivery.summary],
      ...delivery.rows.map((row) => ["", row.join("  ")]),
      ["  sighted", sightedText(finding.sightings)],
    ]),
  ];
}

function receivedRows({ states, isPart, firstReceived, lastReceived }: Finding): string[][] {
  const from = (record: LogRecord) => `${timeText(record.receivedAt)} from ${safe(record.source)}`;
  const first = ["  received", from(firstReceived) + (isPart ? ", or before" : "")];
  const number = isPart ? `at least ${counted(states, "state")}` : `${counted(states, "state")} in all`;
  return states === 1 ? [first] : [first, ["  last", `${from(lastReceived)}, ${number}`]];
}

function sightedText({ count, seen, isPart, sources, newest }: Sightings): string {
  if (newest === undefined) return "never";
  const times = `${isPart ? "at least " : ""}${counted(seen, "time")}`;
  const messages = seen === count ? "" : ` (${counted(count, "sighting")})`;
  return `${times}${messages} by ${sources.map(safe).join(", ")}, last received ${timeText(newest)}`;
}

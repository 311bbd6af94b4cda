/** Who got a message: the subscriptions that were open when it passed and that wanted it. */
import { type ContentFilter, compileFilter, contentFilterSchema, type StixMessage, TOPICS } from "@threatbus/core";
import { parseStix } from "@threatbus/stix";
import type { LogRecord, Store } from "@threatbus/store";
import { safe } from "../../terminal.ts";
import { counted, timeText } from "./format.ts";

/** What the log knows of one subscription and one position. Times in milliseconds since the epoch. */
export interface Receipt {
  /** The plugin that made it. */
  readonly plugin: string;
  readonly name: string;
  readonly topics: readonly string[];
  readonly filter: ContentFilter | undefined;
  /** It gets what lies behind this position. */
  readonly start: number;
  readonly openedAt: number;
  /** undefined: it is open. */
  readonly closedAt: number | undefined;
  /** When everything up to the position had been handed over; undefined: it has not been. */
  readonly handedBy: number | undefined;
  /** Messages lost about when the position passed; whether this one is among them is not known. */
  readonly lostBetween: number;
}

/** `ended`: the subscription was over before the message was handed to it. */
type Outcome = "delivered" | "perhaps lost" | "pending" | "ended";

/** All subscriptions that were open when a position passed. */
async function receiptsAt(store: Store, position: number): Promise<readonly Receipt[]> {
  const receipts = await store.receiptsAt(position);
  return receipts.map((each) => ({ ...each, filter: filterOf(each.filter) }));
}

/** A filter that this version does not know lets everything through. */
function filterOf(filter: unknown): ContentFilter | undefined {
  return contentFilterSchema.safeParse(filter).data;
}

/** The subscriptions that a record was meant for. */
export async function receiptsOf(store: Store, record: LogRecord): Promise<readonly Receipt[]> {
  return wantedBy(record, await receiptsAt(store, record.position));
}

/** Those whose topics cover the record and whose filter lets it through. */
export function wantedBy(record: LogRecord, receipts: readonly Receipt[]): readonly Receipt[] {
  if (receipts.length === 0) return [];
  const parsed = parseStix(record.bytes);
  const topic = TOPICS[record.type];
  return receipts.filter(({ topics, filter }) => {
    if (!topics.some((each) => topic.startsWith(each))) return false;
    if (filter === undefined || !parsed.ok) return true;
    const { messageId: id, source, receivedAt, bytes, position } = record;
    const stix = parsed.value;
    return compileFilter(filter).matches({
      type: stix.type,
      id,
      source,
      receivedAt,
      bytes,
      position,
      stix,
    } as StixMessage);
  });
}

function outcomeOf({ handedBy, lostBetween, closedAt }: Receipt): Outcome {
  if (handedBy !== undefined) return lostBetween > 0 ? "perhaps lost" : "delivered";
  return closedAt === undefined ? "pending" : "ended";
}

/** For a person: that it was delivered `to 2 of 3`, and what can be said of each. */
export function receiptLines(receipts: readonly Receipt[]): { readonly summary: string; readonly rows: string[][] } {
  if (receipts.length === 0) return { summary: "to nobody: no open subscription wanted it", rows: [] };
  const delivered = receipts.filter((each) => outcomeOf(each) === "delivered").length;
  const rows = receipts.map((each) => [safe(each.plugin), safe(each.name), outcomeText(each)]);
  return { summary: `to ${delivered} of ${receipts.length}`, rows };
}

function outcomeText(receipt: Receipt): string {
  const { handedBy, lostBetween, closedAt } = receipt;
  switch (outcomeOf(receipt)) {
    case "delivered":
      return `by ${timeText(handedBy ?? 0)}`;
    case "perhaps lost":
      return `perhaps lost: ${counted(lostBetween, "message was", "messages were")} lost before ${timeText(handedBy ?? 0)}`;
    case "pending":
      return "still open, but not there yet";
    case "ended":
      return `not delivered: ended at ${timeText(closedAt ?? 0)} before it got there`;
  }
}

/** One member of `receipts` in JSON output. */
export function receiptJson(receipt: Receipt): object {
  const { plugin, name, topics, filter, openedAt, closedAt, handedBy, lostBetween } = receipt;
  return {
    plugin,
    name,
    outcome: outcomeOf(receipt),
    at: handedBy === undefined ? null : timeText(handedBy),
    lost: lostBetween,
    topics,
    filter: filter ?? null,
    openedAt: timeText(openedAt),
    closedAt: closedAt === undefined ? null : timeText(closedAt),
  };
}

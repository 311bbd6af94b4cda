/**
 * Who got what, and when. A subscription says now and then how far it has got; a mark answers for every message up to its
 * position, so that there is no row per delivery. Marks wait here for a moment and go to the worker together.
 */

import type { ReceiptMark, ReceiptSubscription, Receipts } from "@threatbus/core";

/** A subscription that the log knows. Times in milliseconds since the epoch. */
export interface SubscriptionRecord {
  readonly plugin: string;
  readonly name: string;
  readonly topics: readonly string[];
  readonly filter: Readonly<Record<string, unknown>> | undefined;
  readonly start: number;
  readonly openedAt: number;
  /** undefined: it is open. */
  readonly closedAt: number | undefined;
  /** Of its last mark; `start` when there is none yet. */
  readonly position: number;
  /** Of its last mark; `openedAt` when there is none yet. */
  readonly markedAt: number;
}

/** What became of one position at one subscription. */
export interface Receipt extends Omit<SubscriptionRecord, "position" | "markedAt"> {
  /** Time of the first mark at or behind the position; undefined: it has not got there yet. */
  readonly handedBy: number | undefined;
  /** Messages lost between that mark and the one before: the one asked about may be among them. */
  readonly lostBetween: number;
}

/** What goes to the worker, in order. */
export type ReceiptEvent =
  | {
      readonly kind: "open";
      readonly id: number;
      readonly plugin: string;
      readonly name: string;
      /** JSON. */
      readonly topics: string;
      readonly filter: string | null;
      readonly start: number;
      readonly at: number;
    }
  | { readonly kind: "mark"; readonly mark: ReceiptMark }
  | { readonly kind: "close"; readonly id: number; readonly at: number };

const SEND_INTERVAL = 200;
const MOST_NAME = 300;
const MOST_TOPICS = 1000;
const MOST_FILTER = 64 * 1024;
/** More marks than this do not wait for a log that cannot be written, and not more subscriptions than that. */
const MOST_MARKS = 1000;
const MOST_SUBSCRIPTIONS = 10_000;
/** ... whose topics and filters together have more characters than this. */
const MOST_WAITING = 8 * 1024 * 1024;

/** The main thread's side of the receipts. */
export class ReceiptQueue implements Receipts {
  readonly #send: (events: readonly ReceiptEvent[]) => void;
  #events: ReceiptEvent[] = [];
  #marks = 0;
  #opens = 0;
  /** Characters of the topics and filters of the subscriptions that wait. */
  #waiting = 0;
  #next = 1;
  /** Opened and not yet closed. */
  readonly #open = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #state: "ok" | "stalled" | "off" = "ok";

  /** @param send takes what there is; it is called when the log can be written, and never twice within 200 ms but by `flush` */
  constructor(send: (events: readonly ReceiptEvent[]) => void) {
    this.#send = send;
  }

  open({ plugin, name, topics, filter, start }: ReceiptSubscription): number {
    const id = this.#next++;
    if (this.#state === "off" || this.#opens >= MOST_SUBSCRIPTIONS || !isCount(start)) return id;
    if (this.#waiting >= MOST_WAITING) return id;
    const wanted = {
      topics: JSON.stringify(topics.slice(0, MOST_TOPICS).map((topic) => topic.slice(0, MOST_NAME))),
      filter: jsonOf(filter),
    };
    this.#opens += 1;
    this.#waiting += wanted.topics.length + (wanted.filter?.length ?? 0);
    this.#open.add(id);
    const named = { plugin: plugin.slice(0, MOST_NAME), name: name.slice(0, MOST_NAME) };
    this.#push({ kind: "open", id, ...named, ...wanted, start, at: Date.now() });
    return id;
  }

  mark(mark: ReceiptMark): void {
    const { subscription, position, handed, lost } = mark;
    const at = Math.round(mark.at);
    if (!this.#open.has(subscription) || this.#marks >= MOST_MARKS) return;
    if (![position, handed, lost, at].every(isCount)) return;
    this.#marks += 1;
    this.#push({ kind: "mark", mark: { subscription, position, handed, lost, at } });
  }

  close(id: number): void {
    if (this.#open.delete(id)) this.#push({ kind: "close", id, at: Date.now() });
  }

  #push(event: ReceiptEvent): void {
    this.#events.push(event);
    if (this.#marks >= MOST_MARKS) this.flush();
    else this.#schedule();
  }

  #schedule(): void {
    if (this.#state !== "ok" || this.#events.length === 0) return;
    this.#timer ??= setTimeout(() => this.flush(), SEND_INTERVAL).unref();
  }

  /** Sends what there is, unless the log cannot be written now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#state !== "ok" || this.#events.length === 0) return;
    const events = this.#events;
    this.#clear();
    this.#send(events);
  }

  /** Can the log be written? `off`: never again. */
  stateIs(state: "ok" | "stalled" | "off"): void {
    if (this.#state === "off") return;
    this.#state = state;
    if (state === "off") {
      this.#clear();
      this.#open.clear();
    }
    this.#schedule();
  }

  #clear(): void {
    this.#events = [];
    this.#marks = 0;
    this.#opens = 0;
    this.#waiting = 0;
  }
}

function isCount(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0;
}

function jsonOf(filter: object | undefined): string | null {
  if (filter === undefined) return null;
  const text = JSON.stringify(filter);
  return text.length <= MOST_FILTER ? text : null;
}

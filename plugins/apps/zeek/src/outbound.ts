import { setImmediate as nextTurn } from "node:timers/promises";
import { messageOf, type Outq, StoppableWorker, type WorkerContext } from "@threatbus/core";
import type { SendResult } from "@threatbus/zeek-broker";
import type { Backlog } from "./backlog.ts";
import type { Condition } from "./condition.ts";
import { intelEvent } from "./events.ts";
import type { IntelItem } from "./intel.ts";
import type { Zeek } from "./zeek.ts";

/** Events behind which the bus asks Zeek for an acknowledgement, and lets the event loop turn. */
const BATCH = 250;
/** What an event has beside id and value, in bytes; near enough to bound what is in flight. */
const EVENT_BYTES = 150;

export interface OutboundParts {
  readonly name: string;
  readonly namespace: string;
  readonly outq: Outq;
  readonly backlog: Backlog;
  /** Notified when there may be something to send, or room for it; this worker notifies when the backlog has shrunk. */
  readonly changed: Condition;
  /** Hears of indicators that Zeek has acknowledged. */
  readonly delivered: (count: number) => void;
  /** Hears of one that cannot be sent. */
  readonly unsendable: (reason: string, sample: string) => void;
  /** Where the worker reports that it failed. */
  readonly supervision: WorkerContext;
}

/**
 * Sends the backlog of one subscription: in order, never more than the window of its Zeek allows, and again what was
 * under way when a connection was lost. Holds everything back while Zeek does not listen to the p2p topic.
 */
export class Outbound extends StoppableWorker {
  readonly #parts: OutboundParts;
  #zeek: Zeek | undefined;
  #topic = "";
  /** Taken from the backlog, not sent yet. */
  #pending: IntelItem | undefined;
  /** Counts attachments, to tell acknowledgements of an earlier one. */
  #attachment = 0;

  constructor(parts: OutboundParts) {
    super(parts.name, parts.supervision);
    this.#parts = parts;
  }

  /** Sends to this Zeek from now on, on this p2p topic. */
  attach(zeek: Zeek, topic: string): void {
    this.#zeek = zeek;
    this.#topic = topic;
    this.#attachment += 1;
    this.#pending = undefined;
    this.#parts.backlog.rewind();
    this.#parts.changed.notify();
  }

  /** Holds everything back. */
  detach(): void {
    this.#zeek = undefined;
    this.#attachment += 1;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const { backlog, changed } = this.#parts;
    for (;;) {
      const zeek = this.#zeek;
      const waiting = this.#pending === undefined ? backlog.unsent : 1;
      if (zeek === undefined || waiting === 0 || zeek.room === 0) {
        await changed.wait(signal);
      } else {
        if (this.#send(zeek) === "full") await zeek.link.writable(signal);
        await nextTurn(undefined, { signal });
      }
    }
  }

  /** Sends up to one batch, and asks for its acknowledgement. */
  #send(zeek: Zeek): SendResult {
    let result: SendResult = "sent";
    let events = 0;
    let bytes = 0;
    while (events < BATCH && zeek.room > 0) {
      this.#pending ??= this.#parts.backlog.next();
      if (this.#pending === undefined) break;
      result = this.#publish(zeek, this.#pending);
      if (result !== "sent") break;
      const length = EVENT_BYTES + this.#pending.id.length + this.#pending.value.length;
      zeek.sent(length);
      this.#pending = undefined;
      events += 1;
      bytes += length;
    }
    if (events > 0) void this.#acknowledge(zeek, events, bytes);
    // Gone, or not listening: holds back until it is attached again.
    if (result === "closed" || result === "unsubscribed") this.#zeek = undefined;
    return result;
  }

  /** One that cannot be encoded counts as sent: it must not keep the others back, nor acknowledgements out of step. */
  #publish({ link }: Zeek, item: IntelItem): SendResult {
    const { namespace, unsendable } = this.#parts;
    try {
      return link.publish(this.#topic, intelEvent(item, namespace));
    } catch (error) {
      unsendable("unsendable", `${item.id}: ${messageOf(error)}`);
      return "sent";
    }
  }

  async #acknowledge(zeek: Zeek, events: number, bytes: number): Promise<void> {
    const attachment = this.#attachment;
    try {
      await zeek.acknowledged(events, bytes);
    } catch {
      // The connection is gone: what was under way is sent again when Zeek is back.
      return;
    }
    if (attachment !== this.#attachment) return;
    const { backlog, outq, changed, delivered } = this.#parts;
    backlog.release(events);
    outq.taskDone(events);
    delivered(events);
    changed.notify();
  }
}

import { setImmediate as nextTurn } from "node:timers/promises";
import { messageOf, type Outq, StoppableWorker, type WorkerContext } from "@threatbus/core";
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
  /** The p2p topic. */
  readonly topic: string;
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
  /** Counts attachments, to tell acknowledgements of an earlier one. */
  #attachment = 0;

  constructor(parts: OutboundParts) {
    super(parts.name, parts.supervision);
    this.#parts = parts;
  }

  /** Sends to this Zeek from now on. */
  attach(zeek: Zeek): void {
    this.#zeek = zeek;
    this.#attachment += 1;
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
      if (zeek === undefined || backlog.unsent === 0 || zeek.room === 0) {
        await changed.wait(signal);
        continue;
      }
      this.#send(zeek);
      await nextTurn(undefined, { signal });
    }
  }

  #send(zeek: Zeek): void {
    const { backlog, topic, namespace } = this.#parts;
    let events = 0;
    let bytes = 0;
    // Those that cannot be sent count as sent, so that acknowledgements stay in step with the backlog.
    while (events < BATCH && zeek.room > 0 && zeek === this.#zeek) {
      const item = backlog.next();
      if (item === undefined) break;
      const length = EVENT_BYTES + item.id.length + item.value.length;
      zeek.sent(length);
      events += 1;
      bytes += length;
      try {
        zeek.link.publish(topic, intelEvent(item, namespace));
      } catch (error) {
        this.#failed(zeek, item, error);
      }
    }
    if (events > 0) void this.#acknowledge(zeek, events, bytes);
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

  /** One that cannot be encoded must not keep the others back. */
  #failed(zeek: Zeek, item: IntelItem, error: unknown): void {
    if (zeek === this.#zeek) this.#parts.unsendable("unsendable", `${item.id}: ${messageOf(error)}`);
  }
}

import { type Inq, type Message, type MessageFactory, StoppableWorker, type WorkerContext } from "@threatbus/core";
import type { ZeekEvent } from "@threatbus/zeek-broker";
import { Condition } from "./condition.ts";
import { sightingOf } from "./sighting.ts";
import type { Link } from "./zeek.ts";

/** Sightings put into the inq at once. */
const BATCH = 256;
/** Sightings that wait for room in the inq before the Zeeks that send more have to wait. */
const MOST_WAITING = 1_000;

export interface InboundParts {
  readonly inq: Inq;
  readonly messages: MessageFactory;
  readonly namespace: string;
  /** Hears of sightings taken. */
  readonly taken: (count: number) => void;
  /** Hears of sightings that were not accepted, or did not get onto the bus. */
  readonly refused: (reason: string, count: number, sample: string) => void;
  /** Aborted when sightings that wait for room in the inq have to be given up. */
  readonly giveUp: AbortSignal;
  /** Where the worker reports that it failed. */
  readonly supervision: WorkerContext;
}

/** Takes the sightings of all Zeeks and puts them into the inq; while that is full, it stops reading from them. */
export class Inbound extends StoppableWorker {
  readonly #parts: InboundParts;
  readonly #changed = new Condition();
  readonly #paused = new Set<Link>();
  #waiting: Message[] = [];
  #putting = 0;
  #closed = false;

  constructor(parts: InboundParts) {
    super("zeek inbound", parts.supervision);
    this.#parts = parts;
  }

  /** Takes an event `sighting`. */
  take(link: Link, event: ZeekEvent): void {
    const { messages, namespace, refused } = this.#parts;
    const sighting = sightingOf(event, namespace, `zeek:${link.name}`);
    if (this.#closed || !sighting.ok) {
      refused(sighting.ok ? "shutdown" : sighting.reason, 1, `sighting of ${link.name}`);
      return;
    }
    this.#waiting.push(messages.stix(sighting.value));
    if (this.#waiting.length >= MOST_WAITING && !this.#paused.has(link)) {
      this.#paused.add(link);
      link.pause();
    }
    this.#changed.notify();
  }

  /** A Zeek is gone: there is nothing to resume. */
  forget(link: Link): void {
    this.#paused.delete(link);
  }

  /** Takes nothing more; resolves when everything that was taken is in the inq. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    while (this.#waiting.length + this.#putting > 0) await this.#changed.wait(signal);
  }

  /** Sightings that were taken and are not in the inq, which is the end of them: counts them. */
  close(): void {
    this.#closed = true;
    const lost = this.#waiting.length + this.#putting;
    this.#waiting = [];
    if (lost > 0) this.#parts.refused("shutdown", lost, "sightings");
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const { inq, giveUp, taken } = this.#parts;
    const either = AbortSignal.any([signal, giveUp]);
    for (;;) {
      while (this.#waiting.length === 0) await this.#changed.wait(signal);
      const batch = this.#waiting.splice(0, BATCH);
      this.#putting = batch.length;
      await inq.putMany(batch, either);
      this.#putting = 0;
      taken(batch.length);
      this.#changed.notify();
      if (this.#waiting.length < MOST_WAITING / 2) this.#resume();
    }
  }

  #resume(): void {
    const links = [...this.#paused];
    this.#paused.clear();
    for (const link of links) link.resume();
  }
}

import type { SnapshotEnvelope } from "@threatbus/stix";
import type { MessageFilter } from "../subscriptions/filter.ts";
import type { Message } from "./message.ts";

/** The writing end of a queue, as a plugin gets it. */
export interface Sink<T> {
  /** Waits while the queue is full: that wait is the backpressure. Rejects with the signal's reason, or when the queue is closed. */
  put(item: T, signal?: AbortSignal): Promise<void>;
  /** The same for many in order; one wait for all when there is room. */
  putMany(items: readonly T[], signal?: AbortSignal): Promise<void>;
}

/** The reading end of a queue. Every item taken must be answered by one `taskDone`. */
export interface Source<T> {
  /** The next item. Rejects when the signal aborts, or when the queue is closed and empty (`QueueClosedError`). */
  get(signal?: AbortSignal): Promise<T>;
  /** At least one and at most `max` items, in order; waits only for the first. */
  getMany(max: number, signal?: AbortSignal): Promise<T[]>;
  /**
   * Says that `count` items taken earlier are dealt with (default 1): the oldest of those taken and not yet answered. A
   * message of the inq is then safe elsewhere, and forgotten here.
   */
  taskDone(count?: number): void;
}

/** The one queue that app plugins write and backbones read. */
export type Inq = Sink<Message>;

/** The wait for room in one queue. */
export interface RoomWait {
  /** Resolves when there is room, or when the queue has to be waited for no longer. */
  readonly over: Promise<void>;
  /** Says, when it is over, that the wait held up others: only then does it use up the queue's patience. */
  charge(): void;
}

/** What a backbone sees of a subscription's queue. */
export interface DeliveryQueue {
  /** Name of the subscription, for logs and metrics. */
  readonly name: string;
  /** What the router asks before it offers a message; equal filters are one object, so that each runs once per message. */
  readonly filter: MessageFilter | undefined;
  /**
   * Takes the message unless the queue has had it already; never waits.
   * A full queue acts by its overflow policy (drop_oldest or disconnect) and counts what it lost.
   */
  offer(message: Message): void;
  /** Messages that its reader has not taken. */
  readonly size: number;
  /**
   * How long a backbone may wait for this queue before offering more to it; undefined when there is room or when waiting
   * would be unfair to the others (see flow/patience.ts).
   */
  room(): RoomWait | undefined;
}

/** Where an app plugin puts the answers to one snapshot request. */
export type SnapshotResults = Sink<SnapshotEnvelope>;

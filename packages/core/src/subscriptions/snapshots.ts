import { randomUUID } from "node:crypto";
import type { StixType } from "@threatbus/stix";
import type { AppPlugin } from "../contracts/app-plugin.ts";
import type { Logger } from "../contracts/logger.ts";
import {
  type MessageFactory,
  type SnapshotEnvelopeMessage,
  type SnapshotRequestMessage,
  TOPICS,
} from "../contracts/message.ts";
import type { Inq, SnapshotResults } from "../contracts/queues.ts";
import { messageOf } from "../errors.ts";
import type { Outq } from "../flow/outq.ts";

/** (id, modified) pairs remembered per snapshot; beyond, the same object may come twice. */
const MAX_REMEMBERED = 1_000_000;
const STIX_TYPES: readonly StixType[] = ["indicator", "sighting"];

/** The STIX types that a snapshot for these topics has to ask for, each once. */
export function coveredTypes(topics: readonly string[]): StixType[] {
  return STIX_TYPES.filter((type) => topics.some((topic) => TOPICS[type].startsWith(topic)));
}

/** One snapshot that waits for answers. */
interface OpenSnapshot {
  readonly id: string;
  readonly queue: Outq;
  readonly seen: Set<string>;
  lastAnswer: number;
  timer: NodeJS.Timeout;
}

export interface SnapshotsOptions {
  readonly inq: Inq;
  readonly messages: MessageFactory;
  readonly logger: Logger;
  /** Milliseconds without an answer after which a snapshot ends. */
  readonly timeout: number;
}

/** Asks for snapshots, passes requests to the app plugins, and hands the answers to the queue that asked. */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #open = new Map<string, OpenSnapshot>();
  readonly #stopped = new AbortController();

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** Snapshots that still wait for answers. */
  get size(): number {
    return this.#open.size;
  }

  /** Puts one request per covered type into the inq, so that every instance sees it. @returns the id, if anything is asked. */
  async request(topics: readonly string[], seconds: number, queue: Outq): Promise<string | undefined> {
    const types = seconds > 0 ? coveredTypes(topics) : [];
    if (types.length === 0) return undefined;
    const id = randomUUID();
    const timer = setTimeout(() => this.#expire(id), this.#options.timeout).unref();
    this.#open.set(id, { id, queue, seen: new Set(), lastAnswer: performance.now(), timer });
    const { inq, messages } = this.#options;
    for (const snapshotType of types) {
      await inq.put(messages.snapshotRequest({ type: "snapshotrequest", snapshotType, snapshotId: id, seconds }));
    }
    return id;
  }

  /** Lets every app plugin that can answer do so; their answers go through the inq. */
  handleRequest(message: SnapshotRequestMessage, plugins: Iterable<readonly [string, AppPlugin]>): void {
    const { inq, messages, logger } = this.#options;
    const results: SnapshotResults = {
      put: (envelope, signal) => inq.put(messages.snapshotEnvelope(envelope), signal),
      putMany: (envelopes, signal) => inq.putMany(envelopes.map(messages.snapshotEnvelope), signal),
    };
    for (const [name, plugin] of plugins) {
      // Called within a promise, so that a plugin that throws at once keeps no request from the others either.
      const answered = (async () => plugin.snapshot?.(message, results, this.#stopped.signal))();
      answered.catch((error: unknown) => {
        if (this.#stopped.signal.aborted) return;
        const fields = { plugin: name, snapshot: message.request.snapshotId, error: messageOf(error) };
        logger.warn(fields, "an app plugin could not answer a snapshot request");
      });
    }
  }

  /** Unwraps an answer into the queue that asked, once per (id, modified); those of other instances are not ours. */
  handleEnvelope(message: SnapshotEnvelopeMessage): void {
    const { snapshotId, body } = message.envelope;
    const snapshot = this.#open.get(snapshotId);
    if (snapshot === undefined) return;
    snapshot.lastAnswer = performance.now();
    const key = `${body.object.id} ${body.object.modified}`;
    if (snapshot.seen.has(key)) return;
    if (snapshot.seen.size < MAX_REMEMBERED) snapshot.seen.add(key);
    const answer = this.#options.messages.stix(body);
    if (snapshot.queue.filter?.matches(answer) ?? true) snapshot.queue.offer(answer);
  }

  /** Frees the snapshots of a subscription that ends. */
  cancel(queue: Outq): void {
    for (const snapshot of this.#open.values()) if (snapshot.queue === queue) this.#end(snapshot);
  }

  stop(): void {
    this.#stopped.abort();
    for (const snapshot of this.#open.values()) this.#end(snapshot);
  }

  #expire(id: string): void {
    const snapshot = this.#open.get(id);
    if (snapshot === undefined) return;
    const left = snapshot.lastAnswer + this.#options.timeout - performance.now();
    if (left <= 0) this.#end(snapshot);
    else snapshot.timer = setTimeout(() => this.#expire(id), left).unref();
  }

  #end(snapshot: OpenSnapshot): void {
    clearTimeout(snapshot.timer);
    this.#open.delete(snapshot.id);
  }
}

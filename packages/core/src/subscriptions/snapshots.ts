import { randomUUID } from "node:crypto";
import type { StixType } from "@threatbus/stix";
import type { AppPlugin } from "../contracts/app-plugin.ts";
import type { DurableLog, ObjectState } from "../contracts/log.ts";
import type { Logger } from "../contracts/logger.ts";
import {
  type Message,
  type MessageFactory,
  type SnapshotEnvelopeMessage,
  type SnapshotRequestMessage,
  type StixMessage,
  TOPICS,
} from "../contracts/message.ts";
import type { DeliveryQueue, Inq, SnapshotResults } from "../contracts/queues.ts";
import { messageOf } from "../errors.ts";
import { IdMemory } from "../flow/id-memory.ts";
import { historicMessage, passingMessages } from "../flow/logged-message.ts";
import { AnswerCheck } from "./answer-check.ts";
import { LogAnswers } from "./log-answers.ts";

const STIX_TYPES: readonly StixType[] = ["indicator", "sighting"];

/** The STIX types that a snapshot for these topics has to ask for, each once. */
export function coveredTypes(topics: readonly string[]): StixType[] {
  return STIX_TYPES.filter((type) => topics.some((topic) => TOPICS[type].startsWith(topic)));
}

/** The queue of a subscription that asks for a snapshot. */
export interface HistoryTaker extends Pick<DeliveryQueue, "filter" | "offer"> {
  /** Hands on the past: the next part is asked for when the reader has got so far. They have passed the filter. */
  addHistory(parts: AsyncIterable<readonly StixMessage[]>): void;
}

/** One snapshot that waits for answers. */
interface OpenSnapshot {
  readonly id: string;
  readonly queue: HistoryTaker;
  readonly check: AnswerCheck;
  /** Is there more to come from the log? */
  isAnswering: boolean;
  lastAnswer: number;
  timer: NodeJS.Timeout;
}

export interface SnapshotsOptions {
  readonly inq: Inq;
  readonly messages: MessageFactory;
  readonly logger: Logger;
  /** Answers too, where there is one. */
  readonly log: Pick<DurableLog, "snapshot" | "states" | "latest"> | undefined;
  /** Milliseconds without an answer after which a snapshot ends. */
  readonly timeout: number;
  /** Milliseconds since the epoch; default: the system's clock. */
  readonly now?: () => number;
}

/**
 * Asks for snapshots, passes requests to the log and the app plugins, and hands the answers to the queue that asked. The
 * log answers its own instance's requests directly, those of others in envelopes.
 */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #now: () => number;
  readonly #open = new Map<string, OpenSnapshot>();
  readonly #stopped = new AbortController();
  readonly #logAnswers: LogAnswers | undefined;
  /** Requests that the log has answered: own ones come back, and a broker may deliver any twice. */
  readonly #answered = new IdMemory();

  constructor(options: SnapshotsOptions) {
    const { log, now = Date.now } = options;
    this.#options = options;
    this.#now = now;
    const { signal } = this.#stopped;
    this.#logAnswers = log === undefined ? undefined : new LogAnswers({ ...options, log, now, signal });
  }

  /** Snapshots that still wait for answers. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Gives the queue what the log has, and puts one request per covered type into the inq, so that every instance sees it.
   * @returns the id, if anything is asked.
   */
  async request(topics: readonly string[], seconds: number, queue: HistoryTaker): Promise<string | undefined> {
    const types = seconds > 0 ? coveredTypes(topics) : [];
    if (types.length === 0) return undefined;
    const id = randomUUID();
    const now = this.#now();
    const since = Math.max(0, now - seconds * 1_000);
    const timer = setTimeout(() => this.#expire(id), this.#options.timeout).unref();
    const check = new AnswerCheck(since);
    const snapshot = { id, queue, check, isAnswering: false, lastAnswer: performance.now(), timer };
    this.#open.set(id, snapshot);
    if (this.#options.log !== undefined) {
      snapshot.isAnswering = true;
      const [type] = types;
      const wanted = types.length === 1 && type !== undefined ? { type } : {};
      queue.addHistory(this.#history(snapshot, this.#options.log.snapshot({ since, validAt: now, ...wanted })));
    }
    const { inq, messages } = this.#options;
    for (const snapshotType of types) {
      this.#answered.add(`${snapshotType} ${id}`);
      await inq.put(messages.snapshotRequest({ type: "snapshotrequest", snapshotType, snapshotId: id, seconds }));
    }
    return id;
  }

  /** Deals with at most 1,000 requests and envelopes, in order. */
  async handle(messages: readonly Message[], plugins: Iterable<readonly [string, AppPlugin]>): Promise<void> {
    const envelopes: SnapshotEnvelopeMessage[] = [];
    for (const message of messages) {
      if (message.type === "snapshotrequest") this.#handleRequest(message, plugins);
      else if (message.type === "snapshotenvelope" && this.#open.has(message.envelope.snapshotId))
        envelopes.push(message);
    }
    if (envelopes.length > 0) await this.#handleEnvelopes(envelopes);
  }

  /** Frees the snapshots of a subscription that ends. */
  cancel(queue: object): void {
    for (const snapshot of this.#open.values()) if (snapshot.queue === queue) this.#end(snapshot);
  }

  stop(): void {
    this.#stopped.abort();
    for (const snapshot of this.#open.values()) this.#end(snapshot);
  }

  /** What the log has for a snapshot of this instance; ends with the snapshot. */
  async *#history(
    snapshot: OpenSnapshot,
    parts: ReturnType<DurableLog["snapshot"]>,
  ): AsyncGenerator<readonly StixMessage[]> {
    const { filter } = snapshot.queue;
    try {
      for await (const records of parts) {
        if (!this.#open.has(snapshot.id)) return;
        yield await passingMessages(records.map(historicMessage), filter);
      }
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      const fields = { snapshot: snapshot.id, error: messageOf(error) };
      this.#options.logger.warn(fields, "the durable log could not answer a snapshot request to the end");
    } finally {
      snapshot.isAnswering = false;
      snapshot.lastAnswer = performance.now();
    }
  }

  /** Lets the log and every app plugin that can answer do so; their answers go through the inq. */
  #handleRequest(message: SnapshotRequestMessage, plugins: Iterable<readonly [string, AppPlugin]>): void {
    const { inq, messages, logger } = this.#options;
    const { snapshotId, snapshotType, seconds } = message.request;
    if (seconds > 0 && this.#answered.add(`${snapshotType} ${snapshotId}`)) this.#logAnswers?.add(message.request);
    const results: SnapshotResults = {
      put: (envelope, signal) => inq.put(messages.snapshotEnvelope(envelope), signal),
      putMany: (envelopes, signal) =>
        inq.putMany(
          envelopes.map((envelope) => messages.snapshotEnvelope(envelope)),
          signal,
        ),
    };
    for (const [name, plugin] of plugins) {
      // Called within a promise, so that a plugin that throws at once keeps no request from the others either.
      const answered = (async () => plugin.snapshot?.(message, results, this.#stopped.signal))();
      answered.catch((error: unknown) => {
        if (this.#stopped.signal.aborted) return;
        const fields = { plugin: name, snapshot: snapshotId, error: messageOf(error) };
        logger.warn(fields, "an app plugin could not answer a snapshot request");
      });
    }
  }

  /** Unwraps answers into the queues that asked. */
  async #handleEnvelopes(envelopes: readonly SnapshotEnvelopeMessage[]): Promise<void> {
    const states = await this.#statesOf(envelopes);
    for (const { envelope } of envelopes) {
      const snapshot = this.#open.get(envelope.snapshotId);
      if (snapshot === undefined) continue;
      snapshot.lastAnswer = performance.now();
      const { object } = envelope.body;
      const verdict = snapshot.check.judge(object, states.get(object.id), this.#now());
      if (verdict === "drop") continue;
      const answer = verdict === "newest" ? await this.#newest(object.id) : this.#options.messages.stix(envelope.body);
      if (answer === undefined || !this.#open.has(snapshot.id)) continue;
      if (snapshot.queue.filter?.matches(answer) ?? true) snapshot.queue.offer(answer);
    }
  }

  /** The newest state of each object that the log knows; nothing where it cannot answer: an answer twice is no loss. */
  async #statesOf(envelopes: readonly SnapshotEnvelopeMessage[]): Promise<ReadonlyMap<string, ObjectState>> {
    const ids = [...new Set(envelopes.map(({ envelope }) => envelope.body.object.id))];
    const states = await this.#options.log?.states(ids).catch(() => undefined);
    return new Map(states?.map((state) => [state.stixId, state]));
  }

  async #newest(stixId: string): Promise<StixMessage | undefined> {
    const record = await this.#options.log?.latest(stixId).catch(() => undefined);
    return record === undefined || record.removed ? undefined : historicMessage(record);
  }

  #expire(id: string): void {
    const snapshot = this.#open.get(id);
    if (snapshot === undefined) return;
    if (snapshot.isAnswering) snapshot.lastAnswer = performance.now();
    const left = snapshot.lastAnswer + this.#options.timeout - performance.now();
    if (left <= 0) this.#end(snapshot);
    else snapshot.timer = setTimeout(() => this.#expire(id), left).unref();
  }

  #end(snapshot: OpenSnapshot): void {
    clearTimeout(snapshot.timer);
    this.#open.delete(snapshot.id);
  }
}

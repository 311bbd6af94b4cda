import { setImmediate as nextTurn } from "node:timers/promises";
import { timestampMicros } from "@threatbus/stix";
import type { Registry } from "prom-client";
import type { ObjectState } from "../contracts/log.ts";
import type { IndicatorMessage, Message, MessageFactory, StixMessage } from "../contracts/message.ts";
import type { Wanted } from "../flow/inq-entrance.ts";
import type { DropReport } from "../observe/drop-report.ts";
import { type CounterOf, counter } from "../observe/metrics.ts";
import { type Candidate, isOvertaken } from "./candidate.ts";
import type { LogAccess } from "./log-access.ts";
import { areRemoval, removalId, removalOf } from "./removal.ts";

/** Candidates dealt with in one turn of the event loop, and bytes of them: each is parsed. */
const PART = 100;
const PART_BYTES = 128 * 1024;
/** So many message ids are remembered, and up to as many more: a REMOVE may be on its way while the log does not have it yet. */
const REMEMBERED = 10_000;

/** The way into the inq; `wanted` is asked when the turn of a message has come. */
export interface WithdrawalInq {
  putMany(messages: readonly Message[], signal?: AbortSignal, wanted?: Wanted): Promise<void>;
}

export interface EmissionOptions {
  readonly access: LogAccess;
  readonly inq: WithdrawalInq;
  readonly messages: Pick<MessageFactory, "stix">;
  readonly metrics: Registry;
  readonly drops: DropReport;
}

/** Puts the REMOVEs of candidates into the inq, each once. */
export class Emission {
  readonly #options: EmissionOptions;
  readonly #counter: CounterOf<"threatbus_withdrawals_total">;
  /** The latest ids, and those before them. */
  #emitted = new Set<string>();
  #before = new Set<string>();
  /** Indicators that are being withdrawn: `modified` of what came in of them meanwhile, in microseconds. */
  readonly #overtaking = new Map<string, number>();

  constructor(options: EmissionOptions) {
    this.#options = options;
    this.#counter = counter(options.metrics, "threatbus_withdrawals_total");
  }

  /** An indicator came in: its withdrawal may wait for room in the inq just now. */
  observe({ stix: { object } }: IndicatorMessage): void {
    if (this.#overtaking.size === 0) return;
    const known = this.#overtaking.get(object.id);
    if (known !== undefined) this.#overtaking.set(object.id, Math.max(known, timestampMicros(object.modified)));
  }

  /** Waits for room in the inq. Leaves out what has a later state, also one that comes in during the wait. */
  async withdraw(candidates: readonly Candidate[], signal: AbortSignal): Promise<void> {
    for (const part of partsOf(candidates)) {
      for (const { stixId } of part) this.#overtaking.set(stixId, Number.NEGATIVE_INFINITY);
      try {
        await this.#withdrawPart(part, signal);
      } finally {
        this.#overtaking.clear();
      }
      await nextTurn(undefined, { signal });
    }
  }

  async #withdrawPart(part: readonly Candidate[], signal: AbortSignal): Promise<void> {
    const newest = await this.#newestStates(part);
    const removals = new Map<string, { readonly message: StixMessage; readonly candidate: Candidate }>();
    for (const candidate of part) {
      if (isOvertaken(candidate, newest?.get(candidate.stixId))) continue;
      const id = removalId(candidate);
      const message = this.#isEmitted(id) ? undefined : this.#removal(candidate, id);
      if (message !== undefined) removals.set(id, { message, candidate });
    }
    const wanted: Wanted = ({ id }) => {
      const { stixId = "", modified = 0 } = removals.get(id)?.candidate ?? {};
      if ((this.#overtaking.get(stixId) ?? modified) <= modified) return true;
      removals.delete(id);
      return false;
    };
    const messages = [...removals.values()].map(({ message }) => message);
    await this.#options.inq.putMany(messages, signal, wanted);
    for (const [id, { candidate }] of removals) {
      this.#remember(id);
      this.#counter.inc({ reason: candidate.reason });
    }
  }

  #removal(candidate: Candidate, id: string): StixMessage | undefined {
    if (areRemoval(candidate.bytes)) return undefined;
    const stix = removalOf(candidate.bytes);
    if (stix !== undefined) return this.#options.messages.stix(stix, id);
    this.#options.drops.note("withdrawal_invalid", 1, candidate.stixId);
    return undefined;
  }

  async #newestStates(part: readonly Candidate[]): Promise<ReadonlyMap<string, ObjectState> | undefined> {
    const ids = [...new Set(part.map(({ stixId }) => stixId))];
    const states = await this.#options.access.ask((log) => log.states(ids));
    return states && new Map(states.map((state) => [state.stixId, state]));
  }

  #isEmitted(id: string): boolean {
    return this.#emitted.has(id) || this.#before.has(id);
  }

  #remember(id: string): void {
    if (this.#emitted.size >= REMEMBERED) {
      this.#before = this.#emitted;
      this.#emitted = new Set();
    }
    this.#emitted.add(id);
  }
}

function* partsOf(candidates: readonly Candidate[]): Generator<readonly Candidate[]> {
  let part: Candidate[] = [];
  let bytes = 0;
  for (const candidate of candidates) {
    part.push(candidate);
    bytes += candidate.bytes.length;
    if (part.length < PART && bytes < PART_BYTES) continue;
    yield part;
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield part;
}

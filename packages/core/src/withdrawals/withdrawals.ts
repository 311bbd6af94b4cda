import { setImmediate as nextTurn } from "node:timers/promises";
import type { LogRecord } from "../contracts/log.ts";
import type { IndicatorMessage, Message, MessageFactory, StixMessage } from "../contracts/message.ts";
import { StoppableWorker, type WorkerContext } from "../flow/stoppable-worker.ts";
import { Waiters } from "../flow/waiters.ts";
import { DropReport } from "../observe/drop-report.ts";
import { counter } from "../observe/metrics.ts";
import { candidateOfMessage, candidateOfRecord, millisOf } from "./candidate.ts";
import { Cursors } from "./cursors.ts";
import { DueList } from "./due-list.ts";
import { Emission, type WithdrawalInq } from "./emission.ts";
import { Ends } from "./ends.ts";
import { LogAccess, type WithdrawalLog } from "./log-access.ts";
import { isRemoval } from "./removal.ts";

/** The wall clock and one timer, so that tests need no time. `after` returns what cancels it. */
export interface WallClock {
  /** Milliseconds since the epoch; may jump. */
  now(): number;
  after(milliseconds: number, run: () => void): () => void;
}

export interface WithdrawalsOptions extends WorkerContext {
  readonly log: WithdrawalLog | undefined;
  readonly inq: WithdrawalInq;
  readonly messages: Pick<MessageFactory, "stix">;
  readonly clock?: WallClock;
  /** How long after the start what ended or came in before it has to wait, in milliseconds; default: not at all. */
  readonly grace?: number;
}

/** A reading of the log for what came in while the bus was down, or faster than the list of due ones could take. */
interface Scan {
  /** The log was read up to here. */
  after: number;
  /** Of what is at or before this position ... */
  readonly last: number;
  /** ... the ends until then are dealt with here; a look at the ends finds the later ones. */
  readonly handled: number;
}

const DUE_MESSAGES = 10_000;
const DUE_BYTES = 16 * 1024 * 1024;
/** Messages of the list dealt with before anything else. */
const DUE_PART = 1_000;
/** Positions that may come in before the cursor is saved. */
const SAVE_POSITIONS = 100_000;

const systemClock: WallClock = {
  now: () => Date.now(),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};

/**
 * Follows an indicator that is revoked, or whose validity has ended, by its REMOVE (architecture: Expiry and removal).
 * The log itself says what is done: only the newest state of an indicator is withdrawn, and its REMOVE is a later one. So
 * a REMOVE that a crash prevented comes after the restart, and none comes twice. Without a log, or while it cannot
 * answer, what comes in revoked or already over is withdrawn all the same.
 */
export class Withdrawals extends StoppableWorker {
  readonly #clock: WallClock;
  readonly #access: LogAccess;
  readonly #cursors: Cursors;
  readonly #emission: Emission;
  readonly #drops: DropReport;
  readonly #ends: Ends;
  readonly #due = new DueList(DUE_MESSAGES, DUE_BYTES);
  readonly #settling = new Waiters();
  #scan: Scan | undefined;
  /** The log could not go on with the scan; it tries again after the next look at the ends. */
  #scanPaused = false;
  /** The start was a moment ago: what the log has waits. */
  #isEarly: boolean;
  readonly #grace: number;
  /** The newest position that came in. */
  #observed: number;
  /** Has an end been dealt with since the cursors were saved? */
  #hasEnded = false;
  #wake: (() => void) | undefined;

  constructor(options: WithdrawalsOptions) {
    super("withdrawals", options);
    const { log, logger, metrics } = options;
    this.#clock = options.clock ?? systemClock;
    const dropped = counter(metrics, "threatbus_messages_dropped_total");
    this.#drops = new DropReport({
      logger,
      counter: { inc: ({ reason }, count) => dropped.inc({ component: "threatbus", reason }, count) },
    });
    this.#access = new LogAccess(log, logger);
    this.#cursors = new Cursors(this.#access);
    this.#emission = new Emission({ ...options, access: this.#access, drops: this.#drops });
    this.#ends = new Ends(this.#cursors.end);
    this.#grace = options.grace ?? 0;
    this.#isEarly = this.#grace > 0;
    this.#observed = this.#cursors.position;
    if (log !== undefined && log.last > this.#observed) this.#scanBehind(this.#observed);
  }

  /**
   * Sees everything that was entered into the log, in the order of positions, and everything that came in while there is
   * none or it could not take it. Never waits.
   */
  observe(messages: readonly Message[]): void {
    const now = this.#clock.now();
    for (const message of messages) {
      if (message.type === "indicator") this.#observeIndicator(message, now);
      else if (message.type === "sighting") this.#observePosition(message);
    }
    if (this.#observed - this.#cursors.position >= SAVE_POSITIONS) this.#wake?.();
  }

  /** Resolves when the REMOVE of everything revoked that came in is in the inq; what is read from the log may come later. */
  async settled(signal: AbortSignal): Promise<void> {
    while (this.#due.size > 0) await this.#settling.wait(signal);
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener("abort", wake, { once: true });
    const endGrace = this.#isEarly ? this.#clock.after(this.#grace, () => this.#becomeLate()) : undefined;
    try {
      for (;;) {
        await this.#withdrawDue(signal);
        if (this.#isLookDue()) await this.#lookForEnds(signal);
        await this.#scanOn(signal);
        this.#save(this.#hasEnded ? "due" : "idle");
        if (this.#isIdle()) await this.#wait(signal);
        else await nextTurn(undefined, { signal });
      }
    } finally {
      signal.removeEventListener("abort", wake);
      endGrace?.();
      this.#save("last");
      this.#drops.flush();
    }
  }

  #becomeLate(): void {
    this.#isEarly = false;
    this.#wake?.();
  }

  #observePosition({ position }: StixMessage): void {
    if (position !== undefined && position > this.#observed) this.#observed = position;
  }

  #observeIndicator(message: IndicatorMessage, now: number): void {
    this.#observePosition(message);
    this.#emission.observe(message);
    const { object } = message.stix;
    const isRevoked = object.revoked === true;
    if ((!isRevoked && object.valid_until === undefined) || isRemoval(object)) return;
    if (isRevoked || this.#isOver(millisOf(object.valid_until ?? ""), message.position, now)) this.#enter(message);
  }

  /** Is an end past that no look at the ends will find? One that lies ahead is looked for when it comes. */
  #isOver(end: number, position: number | undefined, now: number): boolean {
    if (position === undefined || this.#access.log === undefined) return end <= now;
    if (this.#ends.isOver(end, now)) return true;
    if (this.#ends.expect(end)) this.#wake?.();
    return false;
  }

  /** Where the list has no room for it, the log has it: it is read from there later. */
  #enter(message: IndicatorMessage): void {
    const { position } = message;
    if (this.#scan !== undefined && position !== undefined && this.#access.log?.state === "ok") return;
    if (this.#due.add(message)) this.#wake?.();
    else if (position !== undefined) this.#scanBehind(position - 1);
    else this.#drops.note("withdrawal_backlog", 1, message.stix.object.id);
  }

  #scanBehind(after: number): void {
    this.#scan ??= { after, last: this.#access.log?.last ?? 0, handled: this.#ends.handled };
  }

  async #withdrawDue(signal: AbortSignal): Promise<void> {
    const messages = this.#due.first(DUE_PART);
    if (messages.length === 0) return;
    await this.#emission.withdraw(messages.map(candidateOfMessage), signal);
    this.#due.remove(messages.length);
    if (this.#due.size === 0) this.#settling.wakeAll();
  }

  #isLookDue(): boolean {
    return this.#access.log !== undefined && !this.#isEarly && this.#ends.isDue(this.#clock.now());
  }

  /** Withdraws what has ended since the last look. */
  async #lookForEnds(signal: AbortSignal): Promise<void> {
    this.#scanPaused = false;
    const begun = this.#clock.now();
    const span = this.#ends.begin(begun);
    let behind: LogRecord | undefined;
    for (;;) {
      const records = await this.#access.ask((log) => log.expired(behind === undefined ? span : { ...span, behind }));
      if (records === undefined) return;
      // The clock may have been set back since: what came in meanwhile has not ended by it.
      const now = Math.min(begun, this.#clock.now());
      const ended = records.filter(({ type, validUntil = 0 }) => type === "indicator" && validUntil <= now);
      await this.#emission.withdraw(ended.map(candidateOfRecord), signal);
      this.#hasEnded ||= ended.length > 0;
      const next = records.find(({ validUntil = 0 }) => validUntil > now)?.validUntil;
      behind = records.at(-1);
      if (next !== undefined) this.#ends.expect(next);
      if (next !== undefined || behind === undefined) break;
    }
    this.#ends.done();
  }

  /** Reads one part of the log for what has to be withdrawn. */
  async #scanOn(signal: AbortSignal): Promise<void> {
    const scan = this.#scan;
    if (scan === undefined || !this.#isScanning) return;
    const batch = await this.#access.ask((log) => log.read({ after: scan.after }));
    if (batch === undefined || (batch.end && batch.last === scan.after && batch.last < this.#observed)) {
      this.#scanPaused = true;
      return;
    }
    const candidates = batch.records.filter((record) => this.#isCandidate(record, scan));
    await this.#emission.withdraw(candidates.map(candidateOfRecord), signal);
    scan.after = batch.last;
    if (!batch.end || batch.last < this.#observed) return;
    this.#observed = batch.last;
    this.#scan = undefined;
  }

  get #isScanning(): boolean {
    return this.#scan !== undefined && !this.#isEarly && !this.#scanPaused && this.#access.log !== undefined;
  }

  #isCandidate({ type, removed, validUntil, position }: LogRecord, scan: Scan): boolean {
    if (type !== "indicator") return false;
    if (removed) return true;
    if (validUntil === undefined) return false;
    // The clock may have been set back since: then a look finds it, when it has ended by this clock, too.
    const isOver = this.#ends.isOver(validUntil, this.#clock.now());
    return isOver && (position > scan.last || validUntil <= scan.handled);
  }

  #save(urgency: "due" | "idle" | "last"): void {
    const waiting = this.#due.position ?? Number.POSITIVE_INFINITY;
    const position = Math.min(waiting - 1, this.#scan?.after ?? this.#observed);
    this.#cursors.save(position, this.#ends.handled, this.#clock.now(), urgency);
    if (this.#cursors.end === this.#ends.handled) this.#hasEnded = false;
  }

  #isIdle(): boolean {
    return this.#due.size === 0 && !this.#isScanning && !this.#isLookDue();
  }

  /** Until something has to be done; the ends are looked at once a minute. Without a log there is no timer. */
  async #wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const looks = this.#access.log !== undefined && !this.#isEarly;
    const cancel = looks ? this.#clock.after(Math.max(1, this.#ends.wait(this.#clock.now())), resolve) : undefined;
    await promise;
    this.#wake = undefined;
    cancel?.();
    signal.throwIfAborted();
  }
}

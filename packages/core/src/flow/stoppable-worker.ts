import { setTimeout as sleep } from "node:timers/promises";
import type { Registry } from "prom-client";
import type { Logger } from "../contracts/logger.ts";
import { messageOf } from "../errors.ts";
import { counter } from "../observe/metrics.ts";

/** Where a worker reports that it failed; an AppContext or BackboneContext will do. */
export interface WorkerContext {
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Waits before the worker is started again; tests give their own. */
  readonly wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Monotonic milliseconds; tests give their own. */
  readonly now?: () => number;
}

const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 60_000;
/** A run that lasted so long has recovered: the next failure starts again with the first backoff. */
const RECOVERED_AFTER_MS = 60_000;

const wait = async (milliseconds: number, signal: AbortSignal): Promise<void> => {
  await sleep(milliseconds, undefined, { signal });
};

const running = new WeakMap<Registry, Set<StoppableWorker>>();

/** The workers that report to this registry and have not ended: those of the bus and of its plugins. */
export function workersOf(metrics: Registry): ReadonlySet<StoppableWorker> {
  const workers = running.get(metrics) ?? new Set();
  running.set(metrics, workers);
  return workers;
}

/**
 * Base class of everything that does busy work. `run` works until its signal aborts; when it throws before that, the
 * failure is logged and counted, and `run` starts again after 1 s, then 2 s and so on up to 60 s.
 */
export abstract class StoppableWorker {
  readonly name: string;
  readonly #context: WorkerContext;
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;
  #failures = 0;
  /** When the present run began; undefined between two of them. */
  #began: number | undefined;

  constructor(name: string, context: WorkerContext) {
    this.name = name;
    this.#context = context;
    // Keeps a place: a signal whose only listener comes and goes with each wait makes garbage that lives for long, as a
    // Set would (see Waiters).
    this.#abort.signal.addEventListener("abort", () => undefined);
  }

  /** False while the last run failed and no later one has lasted a minute. */
  get healthy(): boolean {
    return this.#failures === 0 || this.#hasRecovered();
  }

  /** Begins to work; a second call does nothing. */
  start(): void {
    this.#running ??= this.#supervise();
  }

  /** Asks `run` to end; `join` says when it has. */
  stop(): void {
    this.#abort.abort();
  }

  /** Resolves when `run` has returned for good; never rejects. */
  async join(): Promise<void> {
    await this.#running;
  }

  /** The work. Returning ends the worker; throwing starts it again; after an abort either is the end. */
  protected abstract run(signal: AbortSignal): Promise<void>;

  async #supervise(): Promise<void> {
    const workers = workersOf(this.#context.metrics) as Set<StoppableWorker>;
    workers.add(this);
    await this.#runAgain(this.#abort.signal);
    workers.delete(this);
  }

  async #runAgain(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#began = this.#now();
      try {
        await this.run(signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (this.#hasRecovered()) this.#failures = 0;
        this.#began = undefined;
        await this.#backOff(error, signal);
      }
    }
  }

  #hasRecovered(): boolean {
    return this.#began !== undefined && this.#now() - this.#began >= RECOVERED_AFTER_MS;
  }

  #now(): number {
    return (this.#context.now ?? performance.now.bind(performance))();
  }

  async #backOff(error: unknown, signal: AbortSignal): Promise<void> {
    const pause = Math.min(FIRST_BACKOFF_MS * 2 ** this.#failures, LONGEST_BACKOFF_MS);
    this.#failures += 1;
    counter(this.#context.metrics, "threatbus_worker_restarts_total").inc({ worker: this.name });
    const fields = { worker: this.name, error: messageOf(error), failures: this.#failures, retry_in_ms: pause };
    this.#context.logger.error(fields, "a worker failed and will be started again");
    try {
      await (this.#context.wait ?? wait)(pause, signal);
    } catch {
      // Stopped while it waited: the loop ends.
    }
  }
}

import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Registry } from "prom-client";
import type { Logger } from "../contracts/logger.ts";
import { gauge } from "./metrics.ts";

/** The part of perf_hooks' histogram that is read; all values in nanoseconds. */
export interface DelayHistogram {
  readonly max: number;
  readonly count: number;
  percentile(percentile: number): number;
  reset(): void;
  enable(): unknown;
  disable(): unknown;
}

export interface EventLoopWatchOptions {
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly histogram?: DelayHistogram;
  /** Runs `tick` every so many milliseconds; returns what ends it. */
  readonly every?: (milliseconds: number, tick: () => void) => () => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** The last finished window, in milliseconds. */
interface Delays {
  readonly p99: number;
  readonly max: number;
}

const WINDOW_MS = 10_000;
/** 99th percentile above which the loop counts as blocked (architecture: the main loop is never blocked). */
const WARN_ABOVE_MS = 50;
const WARN_INTERVAL_MS = 60_000;
/** One hundredth of the window: in 500 slots of 20 ms these are 5, together 100 ms. */
const WORST_COUNT = 5;
const WORST_MS = WINDOW_MS / 100;

function systemEvery(milliseconds: number, tick: () => void): () => void {
  const timer = setInterval(tick, milliseconds).unref();
  return () => clearInterval(timer);
}

/**
 * Measures the delay of the main loop all the time, shows it as a metric, and warns, at most once a minute, when its
 * 99th percentile over ten seconds was above 50 ms.
 * @returns what ends the watch.
 */
export function watchEventLoop(options: EventLoopWatchOptions): () => void {
  const histogram = options.histogram ?? monitorEventLoopDelay({ samplePerIteration: true });
  const every = options.every ?? systemEvery;
  const now = options.now ?? (() => performance.now());
  let last: Delays = { p99: 0, max: 0 };
  let warnedAt = Number.NEGATIVE_INFINITY;

  gauge(options.metrics, "threatbus_event_loop_delay_seconds", (metric) => {
    metric.set({ quantile: "0.99" }, last.p99 / 1_000);
    metric.set({ quantile: "1" }, last.max / 1_000);
  });
  histogram.enable();
  const end = every(WINDOW_MS, () => {
    last = read(histogram);
    histogram.reset();
    if (last.p99 <= WARN_ABOVE_MS || now() - warnedAt < WARN_INTERVAL_MS) return;
    warnedAt = now();
    options.logger.warn({ p99_ms: round(last.p99), max_ms: round(last.max) }, "the main loop was blocked");
  });
  return () => {
    end();
    histogram.disable();
  };
}

/**
 * The histogram holds how long each turn of the loop took, without its waiting; sampling turns instead of time costs an
 * idle process nothing (a sampling timer of 20 ms costs 0.17 s of CPU a minute). The 99th percentile is meant over
 * *time*, so that a thousand quick turns do not hide a slow one: something that arrives at any moment waits longer than
 * this once in a hundred times. That is the fifth longest turn, or what a single long one alone comes to.
 */
function read(histogram: DelayHistogram): Delays {
  const { count } = histogram;
  if (count === 0) return { p99: 0, max: 0 };
  const max = histogram.max / 1e6;
  const rank = count < WORST_COUNT ? 0 : (100 * (count - WORST_COUNT + 0.5)) / count;
  const fifth = rank > 0 ? histogram.percentile(rank) / 1e6 : 0;
  return { p99: Math.max(fifth, max - WORST_MS), max };
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}

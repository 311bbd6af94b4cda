import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { JoinableQueue } from "../../src/flow/joinable-queue.ts";
import { StoppableWorker, type WorkerContext } from "../../src/flow/stoppable-worker.ts";
import { counter } from "../../src/observe/metrics.ts";
import { recordingLogger } from "../observe-fixtures.ts";

type Run = (signal: AbortSignal, round: number) => Promise<void>;

class Worker extends StoppableWorker {
  rounds = 0;
  readonly #work: Run;

  constructor(context: WorkerContext, work: Run) {
    super("test worker", context);
    this.#work = work;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    this.rounds += 1;
    await this.#work(signal, this.rounds);
  }
}

const untilAborted: Run = async (signal) => {
  await new JoinableQueue<string>().get(signal);
};

test("a run that throws is logged, counted, and started again after 1, 2, 4 ... at most 60 s", async () => {
  const { logger, lines } = recordingLogger();
  const metrics = new Registry();
  const waits: number[] = [];
  const wait = async (milliseconds: number) => {
    waits.push(milliseconds);
  };
  const worker = new Worker({ logger, metrics, wait }, async (_, round) => {
    if (round <= 8) throw new Error(`failure ${round}`);
  });
  worker.start();
  worker.start();
  await worker.join();
  assert.equal(worker.rounds, 9);
  assert.equal(worker.healthy, false);
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields.worker, fields.error]),
    waits.map((_, index) => ["error", "test worker", `failure ${index + 1}`]),
  );
  const { values } = await counter(metrics, "threatbus_worker_restarts_total").get();
  assert.deepEqual(
    values.map(({ labels, value }) => [labels.worker, value]),
    [["test worker", 8]],
  );
});

test("a worker that failed is healthy again when a later run has lasted a minute", async () => {
  const { logger } = recordingLogger();
  const again = Promise.withResolvers<void>();
  let time = 0;
  const context = { logger, metrics: new Registry(), wait: async () => undefined, now: () => time };
  const worker = new Worker(context, async (signal, round) => {
    if (round === 1) throw new Error("failure");
    again.resolve();
    await untilAborted(signal, round);
  });
  worker.start();
  await again.promise;
  assert.equal(worker.healthy, false);
  time = 59_999;
  assert.equal(worker.healthy, false);
  time = 60_000;
  assert.equal(worker.healthy, true);
  worker.stop();
  await worker.join();
});

test("stop aborts the run, and join waits until it has returned", async () => {
  const { logger, lines } = recordingLogger();
  const worker = new Worker({ logger, metrics: new Registry() }, untilAborted);
  worker.start();
  worker.stop();
  await worker.join();
  assert.deepEqual([worker.rounds, worker.healthy, lines], [1, true, []]);
});

test("stop ends the wait before a restart", async () => {
  const { logger } = recordingLogger();
  const failed = Promise.withResolvers<void>();
  const wait: WorkerContext["wait"] = async (_, signal) => {
    failed.resolve();
    await new JoinableQueue<string>().get(signal);
  };
  const worker = new Worker({ logger, metrics: new Registry(), wait }, async () => {
    throw new Error("always");
  });
  worker.start();
  await failed.promise;
  worker.stop();
  await worker.join();
  assert.equal(worker.rounds, 1);
});

test("join of a worker that never started resolves, and a stopped worker does not start", async () => {
  const { logger } = recordingLogger();
  const worker = new Worker({ logger, metrics: new Registry() }, untilAborted);
  await worker.join();
  worker.stop();
  worker.start();
  await worker.join();
  assert.equal(worker.rounds, 0);
});

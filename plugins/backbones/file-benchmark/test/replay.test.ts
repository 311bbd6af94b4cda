import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createMessageFactory, createMetrics, JoinableQueue, type Message, ThreatBusError } from "@threatbus/core";
import { eventually, indicator, numberedIndicator, Recorder, RecordingLogger, sighting } from "@threatbus/testkit";
import fileBenchmark from "../src/index.ts";
import { inputFile } from "./fixtures.ts";

const OBJECTS = [indicator(), sighting(), numberedIndicator(1)];
const FILE = OBJECTS.map(({ bytes }) => `${bytes}\n`).join("");

/** Prepares a backbone; `run` starts it and subscribes a queue to everything. */
async function prepare(t: TestContext, input: object) {
  const plugin = fileBenchmark.create();
  t.after(() => plugin.stop());
  const logger = new RecordingLogger();
  const inq = new JoinableQueue<Message>();
  const queue = new Recorder("all");
  const config = fileBenchmark.configSchema.parse(input);
  const run = async () => {
    await plugin.run({
      config,
      logger,
      metrics: createMetrics(),
      signal: new AbortController().signal,
      inq,
      accept: async (messages) => messages,
    });
    await plugin.subscribe("", queue);
  };
  return { plugin, logger, inq, queue, run };
}

function textsOf(queue: Recorder): string[] {
  return queue.messages.map(({ bytes }) => bytes.toString());
}

test("defaults: once, after two seconds", () => {
  assert.deepEqual(fileBenchmark.configSchema.parse({ input_file: "x.json" }), {
    input_file: "x.json",
    repetitions: 1,
    delay: 2_000,
  });
  for (const bad of [{}, { input_file: "" }, { input_file: "x", repetitions: -1 }, { input_file: "x", delay: 2 }]) {
    assert.equal(fileBenchmark.configSchema.safeParse(bad).success, false, JSON.stringify(bad));
  }
});

test("every repetition sends the whole file in order, as new messages", async (t) => {
  const input_file = inputFile(t, FILE);
  const { queue, logger, run } = await prepare(t, { input_file, repetitions: 200, delay: "0s" });
  await run();
  await eventually("the whole file, 200 times", () => queue.count === 600);
  const texts = OBJECTS.map(({ bytes }) => bytes.toString());
  assert.deepEqual(textsOf(queue), Array.from({ length: 200 }, () => texts).flat());
  await eventually("the report", () => logger.lines.some(({ message }) => message === "the file has been sent"));
});

test("empty lines, carriage returns and a missing last newline do no harm", async (t) => {
  const input_file = inputFile(t, `\r\n${OBJECTS[0]?.bytes}\r\n\n${OBJECTS[1]?.bytes}`);
  const { queue, run } = await prepare(t, { input_file, delay: "0s" });
  await run();
  await eventually("both objects", () => queue.count === 2);
});

test("bad lines are reported with their numbers, and nothing is sent", async (t) => {
  const input_file = inputFile(t, `${FILE}{"type":\n${FILE}{"type":"identity"}\n`);
  const { queue, logger, run } = await prepare(t, { input_file, delay: "0s" });
  await assert.rejects(run(), (error) => {
    assert.ok(error instanceof ThreatBusError);
    assert.match(error.message, /input\.json has 2 bad lines; nothing is sent/);
    return true;
  });
  const numbers = logger.lines.map(({ level, fields }) => [level, "line" in fields && fields.line]);
  assert.deepEqual(numbers, [
    ["error", 4],
    ["error", 8],
  ]);
  assert.equal(queue.count, 0);
});

test("of many bad lines the first twenty are logged", async (t) => {
  const { logger, run } = await prepare(t, { input_file: inputFile(t, "no\n".repeat(50)) });
  await assert.rejects(run(), { message: /50 bad lines/ });
  assert.equal(logger.lines.length, 20);
});

test("a file that cannot be read fails the start", async (t) => {
  const input_file = `${inputFile(t, "")}.missing`;
  const { run } = await prepare(t, { input_file });
  await assert.rejects(run(), { name: "ThreatBusError", message: /missing: ENOENT/ });
});

test("what apps publish is routed while the delay runs; a stop says what was not sent", async (t) => {
  const { plugin, inq, logger, queue, run } = await prepare(t, { input_file: inputFile(t, FILE), delay: "1h" });
  await run();
  const message = createMessageFactory("app").stix(indicator());
  await inq.put(message);
  await inq.join();
  assert.deepEqual(queue.ids, [message.id]);
  await plugin.stop();
  assert.deepEqual(logger.lines.at(-1), {
    level: "warn",
    fields: { sent: 0, not_sent: 3 },
    message: "stopped before the whole file was sent",
  });
});

/** The durable log as apps see it: where a subscription begins, and the frames that say how far it has got. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Listener, Manager } from "./clients.ts";
import { type Harness, startPlugin } from "./harness.ts";
import { LoggedOutq, START } from "./logged-outq.ts";
import { indicatorJson, stixMessage } from "./samples.ts";
import { until } from "./wait.ts";

const messages = (count: number) => Array.from({ length: count }, () => stixMessage(indicatorJson()));

/** The queue of the only subscription. */
function queueOf(harness: Harness): LoggedOutq {
  const [outq] = harness.outqs.keys();
  assert.ok(outq instanceof LoggedOutq);
  return outq;
}

/** The types of the frames that an app got; a position frame with its payload. */
const shown = (app: Listener) =>
  app.received.map((frame) => (/^.{32}position /.test(frame) ? frame.slice(32) : frame.slice(32, frame.indexOf(" "))));

const position = (number: number) => `position {"position":${number}}`;

async function connected(t: TestContext, harness: Harness, extra: object = {}) {
  const manager = new Manager(t, harness);
  const { topic } = await manager.subscribe("stix2", { positions: true, ...extra });
  return { manager, topic, app: new Listener(t, harness, topic) };
}

test("who asks for a position or a start is told both in the reply; who does not gets the reply of old", async (t) => {
  const harness = await startPlugin(t, { logId: "log-1" });
  const manager = new Manager(t, harness);
  const plain = await manager.subscribe("stix2");
  assert.deepEqual(Object.keys(plain), ["topic", "pub_port", "sub_port", "status"]);
  for (const extra of [{ positions: true }, { from: 7, log: "log-1" }]) {
    const reply = await manager.ask({ action: "subscribe", topic: "stix2", ...extra });
    assert.deepEqual([reply.status, reply.position, reply.log], ["success", START, "log-1"]);
  }
  assert.deepEqual(harness.starts, [undefined, undefined, { kind: "position", position: 7, log: "log-1" }]);
});

test("without a log a start is refused with the reason; a wish for positions is not", async (t) => {
  const harness = await startPlugin(t);
  const manager = new Manager(t, harness);
  const refused = await manager.ask({ action: "subscribe", topic: "stix2", from: "earliest" });
  assert.deepEqual([refused.status, refused.code], ["error", "TB_NO_LOG"]);
  assert.match(String(refused.message), /the durable log is off.*`store`.*without `from`/);
  assert.equal(harness.outqs.size, 0);
  const { app, topic } = await connected(t, harness);
  harness.deliver(stixMessage(indicatorJson()));
  await until("the message", () => app.received.length === 1);
  assert.equal(await manager.status("unsubscribe", topic), "success");
  assert.deepEqual(shown(app), ["indicator"]);
});

test("an app is told its position when it is there and after each batch", async (t) => {
  const harness = await startPlugin(t, { logId: "log-1" });
  const { app } = await connected(t, harness);
  await until("the first position", () => app.received.length === 1);
  queueOf(harness).offerAll(messages(3));
  await until("the position behind the messages", () => shown(app).includes(position(START + 3)));
  queueOf(harness).offerAll(messages(1));
  await until("the last position", () => shown(app).includes(position(START + 4)));
  assert.deepEqual(shown(app).filter((each) => each === "indicator").length, 4);
  assert.equal(shown(app)[0], position(START));
  assert.deepEqual(shown(app).slice(-2), ["indicator", position(START + 4)]);
});

test("an app that did not ask for positions gets none", async (t) => {
  const harness = await startPlugin(t, { logId: "log-1" });
  const { app, manager, topic } = await connected(t, harness, { positions: false });
  queueOf(harness).offerAll(messages(2));
  await until("the messages", () => app.received.length >= 2);
  await manager.status("unsubscribe", topic);
  assert.deepEqual(shown(app), ["indicator", "indicator"]);
});

test("while a snapshot is handed out there is no position", async (t) => {
  const harness = await startPlugin(t, { logId: "log-1", inSnapshot: true });
  const { app } = await connected(t, harness, { snapshot: 1 });
  queueOf(harness).offerAll(messages(2));
  await until("the messages", () => app.received.length === 2);
  queueOf(harness).inSnapshot = false;
  queueOf(harness).offerAll(messages(1));
  await until("the position", () => app.received.length === 4);
  assert.deepEqual(shown(app), ["indicator", "indicator", "indicator", position(START + 3)]);
});

test("the end of a snapshot is told although nothing follows it", async (t) => {
  const harness = await startPlugin(t, { logId: "log-1", inSnapshot: true });
  const { app } = await connected(t, harness, { snapshot: 1 });
  queueOf(harness).offerAll(messages(2));
  await until("the messages", () => app.received.length === 2);
  await until("all is done", () => queueOf(harness).unfinished === 0);
  queueOf(harness).endSnapshot();
  await until("the position", () => app.received.length === 3);
  assert.deepEqual(shown(app), ["indicator", "indicator", position(START + 2)]);
});

test("an app that leaves with messages undelivered can resume, and the log says from where", async (t) => {
  const harness = await startPlugin(t, { logId: "log-1", config: { linger: "20ms" } });
  const { app } = await connected(t, harness);
  queueOf(harness).offerAll(messages(2));
  await until("the position", () => shown(app).includes(position(START + 2)));
  await app.close();
  const outq = queueOf(harness);
  outq.offerAll(messages(1));
  await until("the end of the subscription", () => harness.outqs.size === 0);
  await until("the log line", () => harness.log.some(({ fields }) => fields.resumePosition !== undefined));
  const line = harness.log.find(({ fields }) => fields.resumePosition !== undefined);
  assert.equal(line?.level, "warn");
  assert.deepEqual([line?.fields.undelivered, line?.fields.resumePosition], [1, START + 2]);
  assert.match(line?.message ?? "", /did not come back; .* can resume from position 102/);
});

test("unsubscribing with messages undelivered is no warning where they are in the log", async (t) => {
  const harness = await startPlugin(t, { logId: "log-1" });
  for (const [positions, level] of [
    [true, "info"],
    [false, "warn"],
  ] as const) {
    const manager = new Manager(t, harness);
    const { topic } = await manager.subscribe("stix2", { positions });
    queueOf(harness).offerAll(messages(1));
    await manager.status("unsubscribe", topic);
    const line = harness.log.findLast(({ fields }) => fields.undelivered === 1);
    assert.equal(line?.level, level);
    assert.equal(/resume from position 100/.test(line.message), positions);
  }
});

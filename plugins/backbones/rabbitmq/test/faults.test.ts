/** What networks and brokers do to a backbone: nothing that was accepted is lost, and nothing comes twice. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createMessageFactory } from "@threatbus/core";
import { eventually, indicatorOfSize, Recorder, startTcpProxy } from "@threatbus/testkit";
import { rabbitmqForTests, rabbitmqMissing } from "../../../../scripts/services/for-tests.ts";
import { idsOf, names, openChannel, type Settings, series, start } from "./harness.ts";

const skip = await rabbitmqMissing();
const broker = skip === undefined ? await rabbitmqForTests() : undefined;
const options = skip === undefined ? {} : { skip };
const server = () => broker ?? assert.fail("tests without a broker are skipped");

/** Settings of an instance that reaches the broker through a network of its own. */
async function behindProxy(
  t: TestContext,
  { exchange, suffix }: Pick<ReturnType<typeof names>, "exchange" | "suffix"> = names(),
) {
  const proxy = await startTcpProxy(t, { port: server().port });
  const settings: Settings = {
    url: `amqp://guest:guest@${proxy.host}:${proxy.port}`,
    exchange_name: exchange,
    queue: { name_suffix: suffix },
    heartbeat: "1s",
  };
  return { proxy, settings };
}

test("connections cut in mid-flow, again and again", options, async (t) => {
  const { proxy, settings } = await behindProxy(t);
  const { inq, record } = await start(t, settings);
  const queue = await record();
  const messages = series(6_000);
  const putting = inq.putMany(messages);
  for (const part of [1, 2, 3, 4]) {
    await eventually(`part ${part} has arrived`, () => queue.count >= part * 1_000);
    proxy.cut();
  }
  await putting;
  await eventually("all messages", () => queue.count >= messages.length);
  assert.deepEqual(new Set(queue.ids), new Set(idsOf(messages)));
  assert.equal(queue.count, messages.length);
  await inq.join();
});

test("a lost confirmation: the message is sent again, under its id and in order", options, async (t) => {
  const { exchange, suffix, queue: name } = names();
  const { proxy, settings } = await behindProxy(t, { exchange, suffix });
  const { inq, record, plugin } = await start(t, settings);
  await eventually("connected", () => plugin.state?.ok === true);
  proxy.stall("server");
  const messages = series(50);
  await inq.putMany(messages);
  const waiting = async () =>
    Number((await server().ctl("list_queues", "name", "messages")).split(`${name}\t`)[1]?.split("\n")[0]);
  await eventually("the broker has them all", async () => (await waiting()) === messages.length);
  assert.equal(inq.unfinished, messages.length, "no confirmation has come");
  proxy.cut();
  proxy.open();
  await inq.join();
  assert.equal(await waiting(), 2 * messages.length, "all were sent twice");
  const queue = await record();
  await eventually("all messages", () => queue.count >= messages.length);
  assert.deepEqual(queue.ids, idsOf(messages), "the outq takes each once");
});

test("a stop without a confirmation: what was sent stays unanswered, so that the bus keeps it", options, async (t) => {
  const { proxy, settings } = await behindProxy(t);
  const { inq, plugin } = await start(t, settings);
  await eventually("connected", () => plugin.state?.ok === true);
  proxy.stall("server");
  await inq.putMany(series(50));
  await eventually("all are taken", () => inq.size === 0);
  await plugin.stop();
  assert.equal(inq.unfinished, 50);
});

test("bodies without an id that are delivered again keep the id that they got", options, async (t) => {
  const { exchange, suffix } = names();
  const { proxy, settings } = await behindProxy(t, { exchange, suffix });
  const { plugin } = await start(t, settings, async (messages) => messages);
  const channel = await openChannel(t, server().url);
  await channel.confirmSelect();
  const bodies = series(20).map(({ bytes }) => bytes);
  // Each twice: two messages, as their ids have to say.
  for (const body of [...bodies, ...bodies]) await channel.basicPublish({ exchange }, body);
  const queue = new Recorder("all", (count) => (count === 1 ? proxy.cut() : undefined));
  await plugin.subscribe("stix2", queue);
  await eventually("all, and some of them again", () => queue.count > 40 && new Set(queue.ids).size >= 40);
  const left = async () => await server().ctl("list_queues", "name", "messages");
  await eventually("all are acknowledged", async () => (await left()).includes(`threatbus.${suffix}\t0\n`));
  assert.equal(new Set(queue.ids).size, 40);
});

test("delivery waits for the durable log, and the acknowledgement for both", options, async (t) => {
  const { exchange, suffix } = names();
  const settings = { url: server().url, exchange_name: exchange, queue: { name_suffix: suffix } };
  const log = Promise.withResolvers<void>();
  let attempts = 0;
  const { inq, record } = await start(t, settings, async (messages) => {
    attempts += 1;
    await log.promise;
    // The broker keeps what the log did not take.
    if (attempts === 1) throw new Error("the log is closed");
    return messages;
  });
  const queue = await record();
  const messages = series(10);
  await inq.putMany(messages);
  await inq.join();
  await eventually("the log is asked", () => attempts === 1);
  const row = `threatbus.${suffix}\t10\n`;
  assert.ok((await server().ctl("list_queues", "name", "messages")).includes(row));
  assert.equal(queue.count, 0);
  log.resolve();
  await eventually("delivered at the second attempt", () => queue.count === 10);
  assert.deepEqual(queue.ids, idsOf(messages));
});

test("a network that falls silent is noticed, and everything arrives when it is back", options, async (t) => {
  const { proxy, settings } = await behindProxy(t);
  const { inq, record, plugin } = await start(t, settings);
  const queue = await record();
  const messages = series(2_000);
  await inq.putMany(messages.slice(0, 1_000));
  await eventually("the first half", () => queue.count === 1_000);
  proxy.stall();
  await inq.putMany(messages.slice(1_000));
  await eventually("the silence is noticed", () => plugin.state?.ok === false);
  // Or the broker notices it first, and the proxy passes that on.
  assert.match(plugin.state?.text ?? "", /^no connection to 127\.0\.0\.1:\d+: .*(heartbeat|ECONNRESET)/);
  proxy.open();
  await eventually("all messages", () => queue.count === messages.length);
  assert.deepEqual(queue.ids, idsOf(messages));
  assert.equal(plugin.state?.ok, true);
});

test("a slow network slows, and loses nothing", options, async (t) => {
  const { proxy, settings } = await behindProxy(t);
  const { inq, record } = await start(t, settings);
  const queue = await record();
  proxy.throttle(1_000_000);
  const messages = series(1_000);
  await inq.putMany(messages);
  await eventually("all messages", () => queue.count === messages.length);
  assert.deepEqual(queue.ids, idsOf(messages));
});

test("a broker short of memory: publishing waits, delivering does not", options, async (t) => {
  const { settings } = await behindProxy(t);
  const { inq, record, plugin, logger } = await start(t, settings);
  const queue = await record();
  const messages = series(1_000);
  await inq.putMany(messages.slice(0, 1));
  await eventually("the first message", () => queue.count === 1);
  t.after(() => server().ctl("set_vm_memory_high_watermark", "0.6"));
  await server().ctl("set_vm_memory_high_watermark", "absolute", "1024");
  await inq.putMany(messages.slice(1));
  await eventually("the alarm shows", () => plugin.state?.ok === false);
  assert.match(plugin.state?.text ?? "", /^127\.0\.0\.1:\d+ takes no messages: low on memory$/);
  assert.ok(inq.unfinished >= 999);
  await server().ctl("set_vm_memory_high_watermark", "0.6");
  await eventually("all messages", () => queue.count === messages.length);
  await inq.join();
  assert.deepEqual(queue.ids, idsOf(messages));
  assert.equal(plugin.state?.ok, true);
  assert.ok(logger.lines.some(({ message }) => message.includes("alarm")));
});

test(
  "an instance that comes back after the broker has missed nothing of those that were faster",
  options,
  async (t) => {
    const first = names();
    const { proxy, settings: slow } = await behindProxy(t, first);
    const fast = { ...slow, url: server().url, queue: { name_suffix: names().suffix } };
    const [slower, faster] = [await start(t, slow), await start(t, fast)];
    const [slowQueue, fastQueue] = [await slower.record(), await faster.record()];
    proxy.cut({ refuse: true });
    await server().kill();
    await server().restart();
    const messages = series(500);
    await faster.inq.putMany(messages);
    await faster.inq.join();
    await eventually("the fast instance has its own", () => fastQueue.count === messages.length);
    assert.equal(slowQueue.count, 0);
    proxy.open();
    await eventually("so has the slow one", () => slowQueue.count === messages.length);
    assert.deepEqual(slowQueue.ids, idsOf(messages));
  },
);

test("a queue deleted under a consumer is made again", options, async (t) => {
  const { exchange, suffix, queue: name } = names();
  const { settings } = await behindProxy(t, { exchange, suffix });
  const { inq, record, logger } = await start(t, settings);
  const queue = await record();
  await inq.putMany(series(1));
  await eventually("the first message", () => queue.count === 1);
  const connects = () => logger.lines.filter(({ message }) => message === "connected to RabbitMQ").length;
  const before = connects();
  await (await openChannel(t, server().url)).queueDelete(name);
  await eventually("connected again", () => connects() > before);
  await inq.putMany(series(1));
  await eventually("a message through the new queue", () => queue.count === 2);
});

test("a message that the broker does not take is dropped, and only that one", options, async (t) => {
  const small = await rabbitmqForTests({ settings: ["max_message_size = 300000"] });
  const { inq, record, dropped, logger } = await start(t, {
    url: small.url,
    exchange_name: names().exchange,
    queue: { name_suffix: names().suffix },
  });
  const queue = await record();
  const messages = series(20);
  const large = createMessageFactory("test").stix(indicatorOfSize(400_000));
  await inq.putMany([...messages.slice(0, 10), large, ...messages.slice(10)]);
  await inq.join();
  await eventually("all others", () => queue.count === messages.length);
  assert.deepEqual(queue.ids, idsOf(messages));
  assert.deepEqual(await dropped(), { refused_by_broker: 1 });
  assert.ok(logger.lines.some(({ message }) => message === "dropped"));
});

/** What the plugin declares, sends and takes, seen from the broker's side. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ThreatBusError } from "@threatbus/core";
import { eventually, indicator } from "@threatbus/testkit";
import type { AsyncMessage } from "rabbitmq-client";
import { rabbitmqForTests, rabbitmqMissing } from "../../../../scripts/services/for-tests.ts";
import { idsOf, names, openChannel, series, start } from "./harness.ts";

const skip = await rabbitmqMissing();
const broker = skip === undefined ? await rabbitmqForTests() : undefined;
const options = skip === undefined ? {} : { skip };
const server = () => broker ?? assert.fail("tests without a broker are skipped");

function settingsOf({ exchange, suffix }: ReturnType<typeof names>, queue: object = {}) {
  return { url: server().url, exchange_name: exchange, queue: { name_suffix: suffix, ...queue } };
}

/** The columns of the line that begins with `name`. */
async function rowOf(name: string, ...command: string[]): Promise<string[] | undefined> {
  const lines = (await server().ctl(...command)).split("\n").map((line) => line.split("\t"));
  return lines.find(([first]) => first === name);
}

/** The arguments of a queue. A server of 4.0 also tells the type that a queue has without asking for one. */
function argumentsIn(column: string | undefined): Record<string, unknown> {
  const pairs = JSON.parse((column ?? "").replaceAll("{", "[").replaceAll("}", "]")) as [string, unknown][];
  const told = Object.fromEntries(pairs);
  if (told["x-queue-type"] === "classic") delete told["x-queue-type"];
  return told;
}

const QUEUE_COLUMNS = ["list_queues", "name", "durable", "auto_delete", "exclusive", "arguments"];

test("exchanges and queue are declared as Threat Bus 2022.5 declares them", options, async (t) => {
  const at = names();
  await start(t, settingsOf(at));
  const exchanges = ["list_exchanges", "name", "type", "durable", "auto_delete", "internal", "arguments"];
  assert.deepEqual(await rowOf(at.exchange, ...exchanges), [at.exchange, "fanout", "false", "false", "false", "[]"]);
  const row = await rowOf(at.queue, ...QUEUE_COLUMNS);
  assert.deepEqual(row?.slice(0, -1), [at.queue, "true", "false", "false"]);
  assert.deepEqual(argumentsIn(row?.at(-1)), { "x-queue-mode": "lazy" });
});

test("the other settings of a queue reach the broker", options, async (t) => {
  const [limited, transient, quorum] = [names(), names(), names()];
  await start(t, settingsOf(limited, { lazy: false, max_items: 500 }));
  await start(t, settingsOf(transient, { durable: false, auto_delete: true, exclusive: true }));
  const { inq, record } = await start(t, settingsOf(quorum, { type: "quorum" }));
  const argumentsOf = async ({ queue }: { queue: string }) =>
    argumentsIn((await rowOf(queue, ...QUEUE_COLUMNS))?.at(-1));
  assert.deepEqual(await argumentsOf(limited), { "x-queue-mode": "default", "x-max-length": 500 });
  assert.deepEqual((await rowOf(transient.queue, ...QUEUE_COLUMNS))?.slice(1, 4), ["false", "true", "true"]);
  assert.deepEqual(await argumentsOf(quorum), { "x-queue-type": "quorum" });
  const queue = await record();
  await inq.putMany(series(100));
  await eventually("messages through a quorum queue", () => queue.count === 100);
});

test("a queue that is there with other properties: the start fails, and says what to do", options, async (t) => {
  const at = names();
  const channel = await openChannel(t, server().url);
  await channel.queueDeclare({ queue: at.queue, durable: false });
  await assert.rejects(start(t, settingsOf(at)), (error) => {
    assert.ok(error instanceof ThreatBusError);
    assert.match(
      error.message,
      new RegExp(`^the queue ${at.queue} is there with other properties: .*inequivalent arg`),
    );
    assert.match(error.hint, new RegExp(`delete_queue ${at.queue}`));
    return true;
  });
});

test("a wrong password: it keeps trying, and the password is nowhere to be seen", options, async (t) => {
  const at = names();
  const { port } = server();
  const password = "correct-horse-battery";
  const login = { host: "127.0.0.1", port, username: "sensor1", password };
  const { plugin, logger } = await start(t, {
    ...login,
    exchange_name: at.exchange,
    queue: { name_suffix: at.suffix },
  });
  assert.equal(plugin.state?.ok, false);
  assert.match(plugin.state?.text ?? "", /^no connection to 127\.0\.0\.1:\d+: .*ACCESS_REFUSED/);
  await server().ctl("add_user", "sensor1", password);
  await server().ctl("set_permissions", "sensor1", ".*", ".*", ".*");
  await eventually("the user is there", () => plugin.state?.ok === true);
  assert.equal(plugin.state?.text, `connected to 127.0.0.1:${port}, queue ${at.queue}`);
  assert.ok(logger.lines.length > 0);
  assert.equal(JSON.stringify(logger.lines).includes(password), false);
});

/** Everything that another program gets from the exchange. */
async function listen(t: TestContext, exchange: string): Promise<AsyncMessage[]> {
  const channel = await openChannel(t, server().url);
  const { queue } = await channel.queueDeclare({ queue: "", exclusive: true });
  await channel.queueBind({ queue, exchange });
  const received: AsyncMessage[] = [];
  await channel.basicConsume({ queue, noAck: true }, (message) => received.push(message));
  return received;
}

test("what it sends: the bytes that were published, persistent, with an id", options, async (t) => {
  const at = names();
  const { inq } = await start(t, settingsOf(at));
  const received = await listen(t, at.exchange);
  const [message] = series(1);
  assert.ok(message !== undefined);
  await inq.put(message);
  await eventually("the message", () => received.length === 1);
  const [{ body, messageId, contentType, durable, routingKey } = assert.fail()] = received;
  assert.ok(message.bytes.equals(body));
  assert.deepEqual(
    { messageId, contentType, durable, routingKey },
    { messageId: message.id, contentType: "application/json", durable: true, routingKey: "" },
  );
});

test("bodies without an id, twice the same, are two messages", options, async (t) => {
  const at = names();
  const { record } = await start(t, settingsOf(at));
  const queue = await record();
  const channel = await openChannel(t, server().url);
  for (let count = 0; count < 2; count += 1) await channel.basicPublish({ exchange: at.exchange }, indicator().bytes);
  await eventually("both", () => queue.count === 2);
  assert.equal(new Set(queue.ids).size, 2);
  assert.ok(queue.messages.every(({ bytes }) => bytes.equals(indicator().bytes)));
});

test("poison: counted by reason, shown in part, acknowledged; the others pass", options, async (t) => {
  const at = names();
  const { record, dropped, logger, inq } = await start(t, { ...settingsOf(at), max_message_bytes: "64KiB" });
  const queue = await record();
  const channel = await openChannel(t, server().url);
  const poison = (body: Buffer, properties = {}) =>
    channel.basicPublish({ exchange: at.exchange, ...properties }, body);
  const good = indicator();
  await poison(Buffer.from(`not JSON ${"x".repeat(1_000)}`));
  await poison(Buffer.from([0xff, 0xfe, 0x00]));
  await poison(Buffer.alloc(0));
  await poison(Buffer.from('{"type": "identity"}'));
  await poison(Buffer.from('{"type": "indicator"}'));
  await poison(Buffer.alloc(100_000, 0x20));
  await poison(good.bytes, { contentType: "text/plain" });
  await poison(good.bytes, { contentType: "application/json", messageId: "a b" });
  await poison(Buffer.from("{"), { contentType: "application/json" });
  const [last] = series(1);
  assert.ok(last !== undefined);
  await inq.put(last);
  await eventually("what is good", () => queue.count === 3);
  assert.ok(queue.ids.includes(last.id));
  const counts = await dropped();
  assert.equal(
    Object.values(counts).reduce((sum, count) => sum + count, 0),
    7,
  );
  assert.equal(counts.type, 1);
  const waiting = async () => await rowOf(at.queue, "list_queues", "name", "messages");
  await eventually("nothing is left", async () => (await waiting())?.[1] === "0");
  const samples = logger.lines
    .filter(({ message }) => message === "dropped")
    .map(({ fields }) => JSON.stringify(fields));
  assert.ok(samples.some((text) => text.includes("not JSON")));
  assert.ok(samples.every((text) => text.length < 1_000));
});

test("messages that wait for an instance are delivered when it starts again", options, async (t) => {
  const at = names();
  const first = await start(t, settingsOf(at));
  await first.plugin.stop();
  assert.deepEqual(first.plugin.state, { ok: false, text: "stopped" });
  const other = await start(t, settingsOf({ ...names(), exchange: at.exchange }));
  const messages = series(300);
  await other.inq.putMany(messages);
  await other.inq.join();
  const again = await start(t, settingsOf(at));
  const queue = await again.record();
  await eventually("what was sent meanwhile", () => queue.count === messages.length);
  assert.deepEqual(queue.ids, idsOf(messages));
});

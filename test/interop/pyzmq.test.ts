/** Apps on pyzmq, the library that the published Python apps are written with. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Child } from "../../scripts/child.ts";
import { startBus } from "./support/bus.ts";
import { assertSameTexts, indicator, sighting } from "./support/objects.ts";
import { start } from "./support/process.ts";
import { pythonPrograms, scripts } from "./support/python.ts";
import { sendUntil } from "./support/wait.ts";

function receiver(t: TestContext, programs: string, port: number, topics: string[]): Child {
  return start(t, `${programs}/python`, [`${scripts}/receiver.py`, String(port), ...topics]);
}

/** A pyzmq sender that the bus has been seen to hear; what it sent for that went to `witness`. */
async function connectedSender(t: TestContext, programs: string, port: number, witness: Child): Promise<Child> {
  const sender = start(t, `${programs}/python`, [`${scripts}/sender.py`, String(port)]);
  const probe = indicator("198.51.100.99", { name: "probe" });
  await sendUntil(witness.line(/^message indicator .*"probe"/), () => sender.write(`stix2/indicator ${probe}\n`));
  return sender;
}

/** What `receiver` has printed of messages of one type, without the probes. */
function messages(receiver: Child, type: string): string[] {
  const start = `message ${type} `;
  const payloads = receiver.lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
  return payloads.filter((payload) => !payload.includes('"probe"'));
}

test("pyzmq: a sender's objects reach every receiver that wants them, byte for byte and in order", async (t) => {
  const programs = await pythonPrograms(t, "peers");
  if (programs === undefined) return;
  const bus = await startBus(t);
  const all = receiver(t, programs, bus.ports.manage, ["stix2"]);
  const indicators = receiver(t, programs, bus.ports.manage, ["stix2/indicator"]);
  const both = receiver(t, programs, bus.ports.manage, ["stix2/indicator", "stix2/sighting"]);
  for (const app of [all, indicators, both]) await app.line(/^subscribed [a-z]{32}$/);
  const sender = await connectedSender(t, programs, bus.ports.sub, all);

  const sent = Array.from({ length: 200 }, (_, i) => indicator(`198.51.100.${i}`, { x_order: i, x_big: "\u00e9" }));
  const seen = sighting("indicator--46b3f973-5c03-41fc-9efe-49598a267a35");
  for (const object of sent) sender.write(`stix2/indicator ${object}\n`);
  sender.write(`stix2/sighting ${seen}\n`);
  sender.write(`stix2/indicator ${indicator("198.51.100.1", { name: "end" })}\n`);
  for (const app of [all, indicators, both]) await app.line(/^message indicator .*"end"/);

  assertSameTexts(messages(all, "indicator").slice(0, 200), sent);
  assert.deepEqual(messages(all, "sighting"), [seen]);
  assertSameTexts(messages(indicators, "indicator").slice(0, 200), sent);
  assert.deepEqual(messages(indicators, "sighting"), []);
  assertSameTexts(messages(both, "indicator").slice(0, 200), sent);
  assert.deepEqual(messages(both, "sighting"), [seen]);
  // While the bus still answers: they unsubscribe.
  for (const app of [all, indicators, both]) assert.equal((await app.stop()).code, 0);
});

test("pyzmq: what one app answers to a snapshot request reaches the app that asked, and no other", async (t) => {
  const programs = await pythonPrograms(t, "peers");
  if (programs === undefined) return;
  const bus = await startBus(t);
  const known = indicator("198.51.100.30", { name: "known for long", x_custom: "kept" });
  const answerer = start(t, `${programs}/python`, [`${scripts}/answerer.py`, String(bus.ports.manage), known]);
  const other = receiver(t, programs, bus.ports.manage, ["stix2"]);
  await Promise.all([answerer.line(/^ready$/), other.line(/^subscribed/)]);

  const asker = receiver(t, programs, bus.ports.manage, ["stix2/indicator", "--snapshot", "5"]);
  await answerer.line(/^answered INDICATOR 5$/);
  const [, answer = ""] = await asker.line(/^message indicator (.*)$/);
  assert.deepEqual(JSON.parse(answer), JSON.parse(known));
  // The request went to the other app as well, the answer did not: the probe comes after it.
  await other.line(/^message snapshotrequest .*"snapshot_type": ?1.*"snapshot": ?432000/);
  await connectedSender(t, programs, bus.ports.sub, other);
  assert.deepEqual(messages(other, "indicator"), []);
  assert.deepEqual(messages(asker, "snapshotrequest"), []);
  for (const app of [other, asker]) assert.equal((await app.stop()).code, 0);
});

test("pyzmq: heartbeats are answered, and unsubscribing ends the subscription", async (t) => {
  const programs = await pythonPrograms(t, "peers");
  if (programs === undefined) return;
  const bus = await startBus(t);
  const app = receiver(t, programs, bus.ports.manage, ["stix2"]);
  await app.line(/^heartbeat success$/);
  const { code } = await app.stop();
  assert.equal(app.lines.at(-1), 'unsubscribed "success"');
  assert.equal(code, 0);
});

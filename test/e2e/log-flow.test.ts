/** What the durable log does for subscribers beyond resuming: snapshots, and withdrawals that outlive the bus. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { SubscribeOptions } from "@threatbus/client";
import { root } from "../../scripts/python/environments.ts";
import { indicator, sighting } from "../interop/support/objects.ts";
import { folder, start } from "../interop/support/process.ts";
import { eventually } from "../interop/support/wait.ts";
import { type Bus, logOf, records, startBus, stopCleanly } from "./support/bus.ts";
import { app, nextText, take } from "./support/client.ts";
import { NUMBERED, order, readLog, untilAccepted } from "./support/numbered.ts";

const LATER = "2026-01-02T03:04:06.000Z";

/** A later state of the same object. */
function changed(object: string, properties: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...JSON.parse(object), modified: LATER, ...properties });
}

/** The REMOVE of an indicator is the indicator with one member more. */
const removalOf = (object: string) => ({ ...JSON.parse(object), x_threatbus_update: "REMOVE" });

/** Everything that a subscription gets, as texts. */
function gather(t: TestContext, bus: Bus, options: SubscribeOptions = {}) {
  const client = app(t, bus, "gathers");
  const subscription = client.subscribe("stix2", options);
  const texts: string[] = [];
  const reading = (async () => {
    for await (const { bytes } of subscription) texts.push(String(bytes));
  })();
  return {
    texts,
    ready: () => subscription.ready(),
    until: (text: string) => eventually(`to get ${text}`, () => (texts.includes(text) ? true : undefined)),
    count: (count: number) => eventually(`to get ${count}`, () => (texts.length >= count ? true : undefined)),
    async close() {
      await client.close();
      await reading;
    },
  };
}

async function publish(t: TestContext, bus: Bus, objects: readonly string[]): Promise<void> {
  const client = app(t, bus, "publisher");
  await client.publish(objects);
  await client.close();
}

test("a snapshot after a restart, without any app that answers: newest states only, without what is withdrawn, beside what comes live", async (t) => {
  const settings = { folder: await folder(t) };
  const first = await startBus(t, settings);
  const watcher = gather(t, first);
  await watcher.ready();
  const plain = indicator("198.51.100.20");
  const old = indicator("198.51.100.21");
  const renewed = changed(old, { name: "renewed" });
  const revoked = indicator("198.51.100.22");
  const removed = indicator("198.51.100.23");
  const expired = indicator("198.51.100.24", { valid_until: "2026-02-01T00:00:00Z" });
  const seen = sighting(JSON.parse(plain).id as string);
  const history = [plain, old, revoked, removed, expired, seen, renewed];
  const ends = [changed(revoked, { revoked: true }), changed(removed, { x_threatbus_update: "REMOVE" })];
  await publish(t, first, [...history, ...ends]);
  // With the REMOVEs of what was revoked and of what was over already.
  await watcher.count(history.length + ends.length + 2);
  await watcher.close();
  await stopCleanly(first);

  const second = await startBus(t, settings, first.ports);
  const asker = gather(t, second, { snapshot: "1d" });
  await asker.ready();
  const live = indicator("198.51.100.25");
  await publish(t, second, [live]);
  await asker.until(live);
  const expected = [plain, seen, renewed, live];
  await asker.count(expected.length);
  const sightings = app(t, second, "sightings").subscribe("stix2/sighting", { snapshot: "1d" });
  assert.equal(await nextText(sightings), seen);
  assert.deepEqual(asker.texts.toSorted(), expected.toSorted());
  await asker.close();
  await stopCleanly(second);
});

test("unsubscribing in the middle of a snapshot ends it, and disturbs nobody", async (t) => {
  const bus = await startBus(t, { apps: NUMBERED, zmq: { max_items: 500, high_water_mark: 65_536 } });
  order(bus, { first: 1, count: 30_000, padding: 500 });
  await untilAccepted(bus, 30_000);
  const asker = app(t, bus, "asks");
  const history = asker.subscribe("stix2/indicator", { snapshot: "1d", queueSize: 1 });
  assert.equal((await take(history[Symbol.asyncIterator](), 10)).length, 10);
  await asker.close();
  const ended = await eventually("the end of the subscription", () =>
    records(bus.child).find(
      ({ msg, subscription }) => /^subscription ended/.test(String(msg)) && /^asks\//.test(String(subscription)),
    ),
  );
  assert.ok(Number(ended.undelivered) < 5_000, "what the log had was not read into memory");
  const other = gather(t, bus);
  await other.ready();
  const live = indicator("198.51.100.26");
  await publish(t, bus, [live]);
  await other.until(live);
  assert.deepEqual(other.texts, [live]);
  await other.close();
  await stopCleanly(bus);
});

test("an indicator that is revoked, or over when it comes, is followed by its REMOVE, once", async (t) => {
  const bus = await startBus(t);
  const watcher = gather(t, bus);
  await watcher.ready();
  const revoked = indicator("198.51.100.27", { revoked: true });
  const over = indicator("198.51.100.28", { valid_until: "2026-02-01T00:00:00Z" });
  await publish(t, bus, [revoked, over]);
  await watcher.count(4);
  const marker = indicator("198.51.100.29");
  await publish(t, bus, [marker]);
  await watcher.until(marker);
  const got = watcher.texts.map((text) => JSON.parse(text));
  assert.deepEqual(got.slice(0, 2), [JSON.parse(revoked), JSON.parse(over)]);
  assert.deepEqual(got.slice(2), [removalOf(revoked), removalOf(over), JSON.parse(marker)]);
  await watcher.close();
  await stopCleanly(bus);
});

test("an indicator that expires while the bus is down (kill -9): its REMOVE comes after the restart, and no second one after the next", async (t) => {
  const settings = { folder: await folder(t), top: { store: { durability: "always" } } };
  const first = await startBus(t, settings);
  const before = gather(t, first);
  await before.ready();
  const end = Date.now() + 1_000;
  const short = indicator("198.51.100.30", { valid_until: new Date(end).toISOString() });
  await publish(t, first, [short]);
  await before.until(short);
  await eventually("the log to have it", async () =>
    (await readLog(logOf(settings.folder))).length > 0 ? true : undefined,
  );
  first.child.kill("SIGKILL");
  await first.child.exited;
  await before.close();
  await eventually("the end of its validity", () => (Date.now() > end ? true : undefined));

  const second = await startBus(t, settings, first.ports);
  const after = gather(t, second, { from: "earliest" });
  await eventually("the REMOVE", () => after.texts.find((text) => text.includes("REMOVE")));
  await after.close();
  await stopCleanly(second);

  const third = await startBus(t, settings, first.ports);
  const last = gather(t, third, { from: "earliest" });
  // One that is over already shows that expiry is at work.
  const over = indicator("198.51.100.31", { valid_until: "2026-02-01T00:00:00Z" });
  await publish(t, third, [over]);
  await eventually("the REMOVE of another one", () =>
    last.texts.find((text) => text.includes("REMOVE") && text.includes(JSON.parse(over).id as string)),
  );
  const all = last.texts.map((text) => JSON.parse(text));
  const expected = [JSON.parse(short), removalOf(short), JSON.parse(over), removalOf(over)];
  assert.deepEqual(all, expected);
  await last.close();
  await stopCleanly(third);
});

/** Runs `threatbus`, and gives what it printed. */
async function command(t: TestContext, ...args: string[]): Promise<string> {
  const child = start(t, process.execPath, [`${root}/packages/cli/bin/threatbus.ts`, ...args]);
  assert.deepEqual(await child.exited, { code: 0, signal: null }, child.lines.join("\n"));
  return child.lines.join("\n");
}

test("`threatbus log get` and `find` on the log of a running bus: who got an indicator, and how often it was sighted", async (t) => {
  const settings = { folder: await folder(t) };
  const bus = await startBus(t, settings);
  const zeek = app(t, bus, "zeek-1").subscribe("stix2/indicator");
  const suricata = app(t, bus, "suricata").subscribe("stix2");
  const domains = { filter: { object_paths: ["domain-name:value"] } };
  const filtered = app(t, bus, "domains").subscribe("stix2/indicator", domains);
  await Promise.all([zeek.ready(), suricata.ready(), filtered.ready()]);
  const found = indicator("198.51.100.32");
  const { id } = JSON.parse(found) as { id: string };
  await publish(t, bus, [found]);
  assert.equal(await nextText(zeek), found);
  const toSuricata = suricata[Symbol.asyncIterator]();
  await take(toSuricata, 1);
  await publish(t, bus, [sighting(id), sighting(id)]);
  await take(toSuricata, 2);

  const path = ["--path", logOf(settings.folder)];
  const isDelivered = (receipts: readonly Readonly<Record<string, unknown>>[]) =>
    receipts.map(({ plugin, name, outcome }) => `${plugin} ${String(name).replace(/\/.*/, "")} ${outcome}`).toSorted();
  const expected = ["zmq suricata delivered", "zmq zeek-1 delivered"];
  const got = await eventually("the receipts", async () => {
    const answer = JSON.parse(await command(t, "log", "get", id, "--json", ...path));
    return isDelivered(answer.receipts).join() === expected.join() ? answer : undefined;
  });
  assert.equal(JSON.stringify(got.states[0].object), found);
  const { indicators } = JSON.parse(await command(t, "log", "find", "198.51.100.32", "--json", ...path));
  assert.deepEqual(isDelivered(indicators[0].receipts), expected);
  assert.deepEqual([indicators[0].id, indicators[0].sightings.count], [id, 2]);
  const text = await command(t, "log", "find", "198[.]51.100.32", ...path);
  assert.match(text, /delivered +to 2 of 2/);
  assert.match(text, /zmq +zeek-1/);
  await stopCleanly(bus);
});

test("`threatbus subscribe --from earliest --position-file`: two runs, and a restart of the bus between, miss nothing", async (t) => {
  const settings = { folder: await folder(t), apps: NUMBERED };
  const first = await startBus(t, settings);
  order(first, { first: 1, count: 50 });
  await untilAccepted(first, 50);
  const file = join(settings.folder, "position");
  const args = ["subscribe", "stix2/indicator", "--from", "earliest", "--position-file", file, "--format", "json"];
  const run = (bus: Bus) =>
    start(t, process.execPath, [`${root}/packages/cli/bin/threatbus.ts`, ...args, "--manage", `${bus.ports.manage}`]);
  const one = run(first);
  await one.line(/"x_order": ?50\b/);
  await one.stop("SIGINT");
  await stopCleanly(first);
  const second = await startBus(t, settings, first.ports);
  order(second, { first: 51, count: 50 });
  await untilAccepted(second, 100);
  const two = run(second);
  await two.line(/"x_order": ?100\b/);
  await two.stop("SIGINT");
  const numbers = [one, two].map(({ lines }) =>
    lines.filter((line) => line.startsWith("{")).map((line) => Number(/"x_order": ?(\d+)/.exec(line)?.[1])),
  );
  assert.deepEqual(
    numbers[0],
    Array.from({ length: 50 }, (_, index) => index + 1),
  );
  const [again = 0] = numbers[1] ?? [];
  assert.ok(again > 1 && again <= 51, `the second run begins with ${again}: behind what the first one has dealt with`);
  assert.deepEqual(
    numbers[1],
    Array.from({ length: 100 - again + 1 }, (_, index) => again + index),
  );
  await stopCleanly(second);
});

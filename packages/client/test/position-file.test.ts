import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLogger } from "../src/logger.ts";
import { PositionFile } from "../src/position-file.ts";
import { PositionKeeper } from "../src/position-keeper.ts";
import type { RememberedPosition } from "../src/position-store.ts";
import { FakeBus, FakeLog } from "./fake-bus.ts";
import { client, TIMEOUT } from "./fast-client.ts";
import { indicator } from "./objects.ts";

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "threatbus-position-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("a file that is not there remembers nothing; what is saved is loaded, and nothing else is left", async (t) => {
  const path = await folder(t);
  const file = new PositionFile(join(path, "own"));
  assert.equal(await file.load(), undefined);
  await file.save({ position: 1, log: "log-1" });
  await file.save({ position: 2, log: "log-1" });
  assert.deepEqual(await file.load(), { position: 2, log: "log-1" });
  assert.deepEqual(await readdir(path), ["own"]);
});

test("a file that is not ours is named, and left as it is", async (t) => {
  const path = await folder(t);
  const name = join(path, "own");
  const ours = { type: "threatbus-position", position: 7, log: "log-1" };
  const foreign = ["", "{", "7", "null", "{}", "x".repeat(5_000)];
  for (const change of [{ type: "other" }, { position: -1 }, { log: "" }, { extra: 1 }]) {
    foreign.push(JSON.stringify({ ...ours, ...change }));
  }
  for (const content of foreign) {
    await writeFile(name, content);
    await assert.rejects(new PositionFile(name).load(), (error) => {
      assert.ok(error instanceof Error && "code" in error);
      assert.equal(error.code, "POSITION_UNREADABLE");
      assert.ok(error.message.includes(name), error.message);
      return true;
    });
    assert.equal(await readFile(name, "utf8"), content);
  }
  await writeFile(name, JSON.stringify(ours));
  assert.deepEqual(await new PositionFile(name).load(), { position: 7, log: "log-1" });
});

test("a folder that is not there, or a path that is one, is told before anything is received", async (t) => {
  const path = await folder(t);
  for (const name of [join(path, "nowhere", "own"), path]) {
    await assert.rejects(new PositionFile(name).load(), { code: "POSITION_UNREADABLE" });
  }
});

test("a file that cannot be written stays as it was", async (t) => {
  const path = await folder(t);
  const file = new PositionFile(join(path, "own"));
  await file.save({ position: 1, log: "log-1" });
  await rm(path, { recursive: true });
  await assert.rejects(file.save({ position: 2, log: "log-1" }), /own cannot be written: ENOENT/);
});

test("one saving at a time, and the newest wins; closing waits for it", async () => {
  const started: { readonly at: RememberedPosition; readonly done: () => void }[] = [];
  const store = {
    load: () => undefined,
    save: (at: RememberedPosition) => new Promise<void>((done) => void started.push({ at, done })),
  };
  const keeper = new PositionKeeper({ store, pause: 0, logger: silentLogger, onError: undefined });
  for (const position of [1, 2, 3, 3]) keeper.reach({ position, log: "a" });
  assert.deepEqual(
    started.map(({ at }) => at.position),
    [1],
  );
  const flushed = keeper.flush();
  started[0]?.done();
  while (started.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(started[1]?.at.position, 3);
  started[1].done();
  await flushed;
  keeper.reach({ position: 3, log: "a" });
  assert.equal(started.length, 2);
  keeper.reach({ position: 1, log: "b" });
  assert.deepEqual(started[2]?.at, { position: 1, log: "b" });
});

test("a subscription remembers in a file, and the next one goes on there", TIMEOUT, async (t) => {
  const positionFile = join(await folder(t), "own");
  const log = new FakeLog("log-1");
  const bus = await FakeBus.start(t, { log });
  const seen: string[] = [];
  const first = client(t, bus).subscribe("stix2", { positionFile });
  await first.ready();
  bus.inject(indicator(1));
  bus.inject(indicator(2));
  for await (const { object } of first) {
    seen.push(object.id);
    // The loop is left in the middle of 2: that one comes again.
    if (seen.length === 2) break;
  }
  assert.deepEqual(JSON.parse(await readFile(positionFile, "utf8")), {
    type: "threatbus-position",
    position: 1,
    log: "log-1",
  });
  const second = client(t, bus).subscribe("stix2", { positionFile });
  await second.ready();
  bus.inject(indicator(3));
  for await (const { object } of second) {
    seen.push(object.id);
    if (seen.length === 4) break;
  }
  assert.deepEqual(
    seen,
    [1, 2, 2, 3].map((number) => indicator(number).id),
  );
});

test("a damaged file ends the subscription before it begins", TIMEOUT, async (t) => {
  const positionFile = join(await folder(t), "own");
  await writeFile(positionFile, "damaged");
  const bus = await FakeBus.start(t, { log: new FakeLog("log-1") });
  const subscription = client(t, bus).subscribe("stix2", { positionFile });
  await assert.rejects(subscription.ready(), { code: "POSITION_UNREADABLE" });
  assert.deepEqual(bus.requests, []);
});

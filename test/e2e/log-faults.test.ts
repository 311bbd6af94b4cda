/** A durable log that cannot be used: one clear line, and nothing that is there is touched; a full disk stops nobody. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { checkLog } from "@threatbus/store";
import { canMount, fill, mountSmall } from "../../packages/store/test/small-disk.ts";
import { folder } from "../interop/support/process.ts";
import { eventually } from "../interop/support/wait.ts";
import { type Bus, launch, records, startBus, stopCleanly } from "./support/bus.ts";
import { Collector } from "./support/collector.ts";
import { NUMBERED, order, readLog, untilAccepted } from "./support/numbered.ts";

const MIB = 1 << 20;
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Every file of a folder with its bytes. */
function contents(path: string): Record<string, string> {
  const files = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((each) =>
    statSync(join(path, each)).isFile(),
  );
  return Object.fromEntries(files.sort().map((each) => [each, readFileSync(join(path, each)).toString("base64")]));
}

/** A bus that ends with code 1 and one line, and leaves the files of the folder as they were. */
async function assertRefused(t: TestContext, path: string, expected: RegExp): Promise<void> {
  const kept = join(path, "..");
  const before = contents(kept);
  const child = await launch(t, { top: { store: { path } } });
  assert.deepEqual(await child.exited, { code: 1, signal: null }, child.lines.join("\n"));
  const said = child.lines.filter((line) => !line.startsWith("{"));
  assert.equal(said.length, 1, said.join("\n"));
  assert.match(said[0] ?? "", expected);
  assert.ok(said[0]?.includes(path), "the line names the file");
  // A lock file may come, and stays.
  const { [`${basename(path)}.lock`]: _lock, ...after } = contents(kept);
  const { [`${basename(path)}.lock`]: _before, ...untouched } = before;
  assert.deepEqual(after, untouched);
}

/** A log of a bus that has stopped. */
async function makeLog(t: TestContext): Promise<string> {
  const path = join(await folder(t), "log.db");
  const bus = await startBus(t, { apps: NUMBERED, top: { store: { path } } });
  order(bus, { first: 1, count: 2_000 });
  await untilAccepted(bus, 2_000);
  await stopCleanly(bus);
  return path;
}

function overwrite(path: string, at: number, length: number): void {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(length, 0xa5), 0, length, at);
  closeSync(file);
}

test("a file that is no database: one line that says what to do, exit code 1, and the file stays as it is", async (t) => {
  const path = join(await folder(t), "notes.txt");
  writeFileSync(path, "name: threatbus\n".repeat(1_000));
  await assertRefused(t, path, /is no SQLite database.*Choose another path/);
});

test("a log with a damaged first page: one line that says what to do, exit code 1, and nothing is deleted", async (t) => {
  const path = await makeLog(t);
  overwrite(path, 100, 12_000);
  await assertRefused(t, path, /damaged.*Nothing was deleted/);
});

test("a log with damaged pages further in: what can be read is served, and the bus says what is wrong", async (t) => {
  const path = await makeLog(t);
  const { size } = statSync(path);
  for (let at = 3 * 16_384; at < size; at += 16_384) overwrite(path, at, 4_096);
  const child = await launch(t, { top: { store: { path } } });
  const line = await child.line(/damaged/);
  assert.match(line.input, /Nothing was deleted/);
  await child.stop();
  assert.ok(statSync(path).size >= size);
});

test("a second bus on the same log: one line that says what to do, exit code 1, and the first one goes on", async (t) => {
  const path = join(await folder(t), "log.db");
  const first = await startBus(t, { apps: NUMBERED, top: { store: { path } } });
  order(first, { first: 1, count: 100 });
  await untilAccepted(first, 100);
  const second = await launch(t, { top: { store: { path } } });
  assert.deepEqual(await second.exited, { code: 1, signal: null });
  const said = second.lines.filter((line) => !line.startsWith("{"));
  assert.equal(said.length, 1, said.join("\n"));
  assert.match(said[0] ?? "", /in use by another.*stop it, or give each instance/);
  const reader = new Collector(t, "reader", { from: "earliest" });
  reader.open(first);
  order(first, { first: 101, count: 100 });
  await reader.until(200);
  assert.deepEqual(reader.numbers, range(1, 200));
  await reader.close();
  await stopCleanly(first);
});

/** Where this user may not mount a small disk there is none to fill; see the store's own tests. */
const onSmallDisk = (name: string, run: (t: TestContext) => Promise<void>): void => {
  if (canMount) test(name, run);
};

onSmallDisk("a log on a read-only file system: one line that says what to do, exit code 1", async (t) => {
  const disk = mountSmall(t);
  assert.ok(disk !== undefined);
  assert.equal(spawnSync("mount", ["-o", "remount,ro", disk]).status, 0);
  await assertRefused(t, join(disk, "log.db"), /may write to it/);
});

/** The lines about the state of the log. */
const states = (bus: Bus) =>
  records(bus.child)
    .filter(({ component, state }) => component === "log" && state !== undefined)
    .map(({ level, state }) => [level, state]);

onSmallDisk("the disk gets full: one line, live traffic goes on, and writing resumes when there is room", async (t) => {
  const disk = mountSmall(t, 64 * MIB);
  assert.ok(disk !== undefined);
  const ballast = join(disk, "ballast");
  writeFileSync(ballast, Buffer.alloc(60 * MIB));
  const path = join(disk, "log.db");
  const bus = await startBus(t, { apps: NUMBERED, top: { store: { path } } });
  const reader = new Collector(t, "reader", {});
  await reader.open(bus).ready();
  order(bus, { first: 1, count: 10_000, padding: 1_000, pause: 2 });
  await reader.until(10_000);
  assert.deepEqual(reader.numbers, range(1, 10_000));
  assert.deepEqual(states(bus), [["ERROR", "stalled"]]);
  assert.ok(bus.child.lines.some((line) => line.includes("Free space where store.path lies")));

  rmSync(ballast);
  await bus.child.line(/the durable log is being written again/);
  order(bus, { first: 10_001, count: 100 });
  await reader.until(10_100);
  await reader.close();
  await stopCleanly(bus);
  assert.deepEqual(states(bus), [
    ["ERROR", "stalled"],
    ["INFO", "ok"],
  ]);
  const log = await readLog(path);
  assert.deepEqual(
    log.slice(-100).map(({ number }) => number),
    range(10_001, 10_100),
  );
  assert.deepEqual(await checkLog(path), { ok: true, problems: [] });
});

onSmallDisk(
  "the disk is full at the start: the bus starts and delivers, and has its log when there is room",
  async (t) => {
    const disk = mountSmall(t);
    assert.ok(disk !== undefined);
    const ballast = fill(disk);
    const path = join(disk, "log.db");
    const bus = await startBus(t, { apps: NUMBERED, top: { store: { path } } });
    const reader = new Collector(t, "reader", {});
    await reader.open(bus).ready();
    order(bus, { first: 1, count: 100 });
    await reader.until(100);
    await eventually("the line about the full disk", () => (states(bus).length > 0 ? true : undefined));
    rmSync(ballast);
    await bus.child.line(/the durable log is being written again/);
    order(bus, { first: 101, count: 100 });
    await reader.until(200);
    assert.deepEqual(reader.numbers, range(1, 200));
    assert.deepEqual(states(bus), [
      ["ERROR", "stalled"],
      ["INFO", "ok"],
    ]);
    // Who comes now can resume.
    const later = new Collector(t, "later", { from: "earliest" });
    later.open(bus);
    await later.until(200);
    assert.deepEqual(later.numbers, range(101, 200));
    await Promise.all([reader.close(), later.close()]);
    await stopCleanly(bus);
  },
);

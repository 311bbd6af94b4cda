import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT } from "@threatbus/core/process";
import { parseStart } from "../src/start.ts";
import { busConfig, configFolder, GOOD, run, start } from "./command.ts";

const NOW = Date.UTC(2026, 10, 23, 12);

test("a start is a position, an end of the log, a time or a time ago", () => {
  for (const text of ["earliest", "latest", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00.5+01:00"]) {
    assert.equal(parseStart(text, NOW), text);
  }
  assert.equal(parseStart("0", NOW), 0);
  assert.equal(parseStart("4711", NOW), 4_711);
  for (const [text, seconds] of [
    ["90s", 90],
    ["15m", 900],
    ["2h", 7_200],
    ["7d", 604_800],
    ["1w", 604_800],
  ] as const) {
    assert.deepEqual(parseStart(text, NOW), new Date(NOW - seconds * 1_000), text);
  }
});

test("anything else is answered with what is expected", () => {
  for (const text of ["", "soon", "-1", "1.5", "2y", "2026-11-23", "2026-11-23T10:00", "999999999w", "1e5", "0x10"]) {
    assert.throws(
      () => parseStart(text, NOW),
      (error) =>
        error instanceof Error && "exitCode" in error && error.exitCode === EXIT.usage && /2h/.test(error.message),
      text,
    );
  }
});

/** A bus whose durable log is off. */
async function busWithoutLog(t: TestContext) {
  const cwd = await configFolder(t, { ...Object(busConfig()), store: false });
  const bus = start(t, ["-c", "config.yaml"], { cwd });
  const [, manage = ""] = await bus.seen(/\bready\b.*?\bmanage\b.*?:(\d+)/);
  return { bus, manage, cwd };
}

test("a bus whose log is off refuses a start, and says what to do", async (t) => {
  const { manage } = await busWithoutLog(t);
  const { code, stdout, stderr } = await run(t, ["subscribe", "stix2", "--manage", manage, "--from", "2h"]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^threatbus: .*durable log is off.*without `from`.*\n$/);
});

test("a position file is of no use with a bus whose log is off, and one that is not ours is refused", async (t) => {
  const { bus, manage, cwd } = await busWithoutLog(t);
  const args = ["subscribe", "stix2", "--manage", manage, "--position-file", "own"];
  const subscriber = start(t, args, { cwd });
  await bus.seen(/app subscribed/);
  await subscriber.seen(/warning: the bus tells no positions/);
  subscriber.kill("SIGINT");
  assert.equal((await subscriber.ended).code, 0);
  await writeFile(join(cwd, "own"), "something else");
  const { code, stderr } = await run(t, args, { cwd });
  assert.equal(code, 1);
  assert.match(stderr, /^threatbus: position file .*own cannot be used: it is no position file\. Give the file .*\n$/);
});

/** Waits until the position file says so. */
async function positionIs(file: string, position: number): Promise<void> {
  for (;;) {
    const text = await readFile(file, "utf8").catch(() => "{}");
    if (JSON.parse(text).position === position) return;
    await sleep(5);
  }
}

test("what came while nobody subscribed is there the next time, and nothing twice", { timeout: 60_000 }, async (t) => {
  const cwd = await configFolder(t, busConfig());
  const bus = start(t, ["-c", "config.yaml"], { cwd });
  const [, manage = ""] = await bus.seen(/\bready\b.*?\bmanage\b.*?:(\d+)/);
  const ids = [1, 2, 3].map((number) => `${GOOD.id.slice(0, -1)}${number}`);
  const publish = async (...published: readonly (string | undefined)[]) => {
    const input = published.map((id) => JSON.stringify({ ...GOOD, id })).join("\n");
    assert.equal((await run(t, ["publish", "-", "--manage", manage], { input })).code, 0);
  };
  await publish(ids[0], ids[1]);
  const args = ["subscribe", "stix2", "--manage", manage, "--position-file", "own", "--from", "earliest"];
  const first = start(t, args, { cwd });
  await positionIs(join(cwd, "own"), 2);
  first.kill("SIGINT");
  await publish(ids[2]);
  const second = await run(t, [...args, "--count", "1"], { cwd });
  const seen = [(await first.ended).stdout, second.stdout].map((text) => text.match(/indicator--[0-9a-f-]+/g));
  assert.deepEqual(seen, [ids.slice(0, 2), ids.slice(2)]);
});

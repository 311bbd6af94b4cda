import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { startCommand } from "@threatbus/connector";
import { sighting } from "@threatbus/testkit";
import { OpenctiError } from "../src/graphql/index.ts";
import { DeadLetters } from "../src/outbound/dead-letters.ts";
import { type ReplayResult, replay, survey } from "../src/outbound/replay.ts";
import { TOKEN } from "./graphql-support.ts";
import { addIndicator, type DeliverySite, startDelivery } from "./outbound-support.ts";

const ID = "indicator--46b3f973-5c03-41fc-9efe-49598a267a35";
const REFUSED = new OpenctiError("refused", "FUNCTIONAL_ERROR", "no");
const PROGRAM = join(import.meta.dirname, "..", "bin", "threatbus-opencti.ts");

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "opencti-replay-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function seen(number: number, members: object = {}): Buffer {
  const id = `sighting--00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
  const last_seen = new Date(Date.UTC(2024, 5, 10) + number * 1_000).toISOString();
  return sighting({ id, sighting_of_ref: ID, last_seen, ...members }).bytes;
}

async function letters(path: string, count: number, members: (number: number) => object = () => ({})): Promise<void> {
  const file = new DeadLetters({ path });
  await Promise.all(Array.from({ length: count }, (_, number) => file.write(seen(number, members(number)), REFUSED)));
}

const read = (path: string): string[] => readFileSync(path, "utf8").trim().split("\n");

describe("the file of dead letters", () => {
  test("has time, reason, code, message and the object as it was", async (t) => {
    const path = join(folder(t), "dead.jsonl");
    const body = Buffer.from('{"type":"sighting",\n "x_big": 12345678901234567890.5}');
    await new DeadLetters({ path }).write(body, REFUSED);
    const [line = ""] = read(path);
    const { time, reason, code, message } = JSON.parse(line);
    assert.match(time, /^\d{4}-.*Z$/);
    assert.deepEqual([reason, code, message], ["functional_error", "FUNCTIONAL_ERROR", "no"]);
    assert.ok(line.includes('"object":{"type":"sighting",  "x_big": 12345678901234567890.5}}'), line);
  });

  test("is put aside when it is full, and the oldest is given up with a word", async (t) => {
    const path = join(folder(t), "dead.jsonl");
    const lost: string[] = [];
    const file = new DeadLetters({ path, maxBytes: 2_000, keep: 2, onLost: (name) => lost.push(basename(name)) });
    for (let number = 0; number < 40; number += 1) await file.write(seen(number), REFUSED);
    assert.deepEqual(readdirSync(join(path, "..")).sort(), ["dead.jsonl", "dead.jsonl.1", "dead.jsonl.2"]);
    for (const name of [path, `${path}.1`, `${path}.2`]) assert.ok(readFileSync(name).length <= 2_000);
    assert.ok(lost.length > 0 && lost.every((name) => name === "dead.jsonl.2"));
    assert.match(read(path).at(-1) ?? "", /0039"/);
    assert.match(read(`${path}.1`).at(-1) ?? "", /sighting--/);
  });

  test("tells when it cannot be written, and works again afterwards", async (t) => {
    const base = folder(t);
    const file = new DeadLetters({ path: join(base, "no", "dead.jsonl") });
    await assert.rejects(file.write(seen(1), REFUSED), { code: "ENOENT" });
    mkdirSync(join(base, "no"));
    await file.write(seen(1), REFUSED);
  });
});

describe("replaying", () => {
  async function prepare(
    t: TestContext,
  ): Promise<{ site: DeliverySite; path: string; run: () => Promise<ReplayResult> }> {
    const site = await startDelivery(t);
    addIndicator(site, "[domain-name:value = 'evil.example']", { stix_id: ID });
    const path = join(folder(t), "dead.jsonl");
    const { delivery, signal } = site;
    return { site, path, run: () => replay(path, { delivery, onProgress: () => undefined }, signal) };
  }

  test("writes everything and removes the file", async (t) => {
    const { site, path, run } = await prepare(t);
    await letters(path, 250);
    const result = await run();
    assert.deepEqual([result.written, result.remaining, result.file], [250, 0, undefined]);
    assert.equal(site.sightings().length, 250);
    assert.deepEqual(readdirSync(join(path, "..")), []);
  });

  test("twice is once", async (t) => {
    const { site, path, run } = await prepare(t);
    for (let time = 0; time < 2; time += 1) {
      await letters(path, 3, () => ({ count: 4 }));
      await run();
    }
    assert.deepEqual(
      site.sightings().map(({ count }) => count),
      [4, 4, 4],
    );
  });

  test("keeps what is refused again, with the new reason, and what cannot be read", async (t) => {
    const { site, path, run } = await prepare(t);
    await letters(path, 4, (number) => (number === 2 ? { sighting_of_ref: ID.replace("46b3", "0000") } : {}));
    writeFileSync(path, 'no letter\n{"time":"x"}\n', { flag: "a" });
    const result = await run();
    assert.deepEqual([result.written, result.remaining, result.file], [3, 3, `${path}.remaining`]);
    const rest = read(`${path}.remaining`);
    for (const line of ["no letter", '{"time":"x"}']) assert.ok(rest.includes(line), line);
    assert.ok(rest.some((line) => line.includes('"code":"INDICATOR_UNKNOWN"')));
    assert.equal(site.sightings().length, 3);
    assert.equal(existsSync(`${path}.replaying`), false);
  });

  test("stops when OpenCTI fails, and keeps everything that is not written", async (t) => {
    const { site, path, run } = await prepare(t);
    await letters(path, 250);
    let calls = 0;
    site.faults.onCall = () => {
      calls += 1;
      if (calls === 120) site.faults.status = 503;
    };
    const result = await run();
    assert.match(result.stopped ?? "", /503/);
    assert.equal(result.written + result.remaining, 250);
    assert.equal(read(`${path}.remaining`).length, result.remaining);
    assert.equal(site.sightings().length, result.written);
  });

  test("touches nothing when OpenCTI cannot be worked with at all", async (t) => {
    const { site, path, run } = await prepare(t);
    await letters(path, 2);
    site.state.users.splice(0);
    await assert.rejects(run(), { kind: "credentials" });
    assert.equal(read(path).length, 2);
    assert.deepEqual(readdirSync(join(path, "..")), ["dead.jsonl"]);
  });

  test("never writes over what remained of an earlier one, nor over an unfinished one", async (t) => {
    const { path, run } = await prepare(t);
    writeFileSync(`${path}.remaining`, "earlier\n");
    writeFileSync(path, "no letter\n");
    assert.equal((await run()).file, `${path}.remaining.2`);
    assert.deepEqual(read(`${path}.remaining`), ["earlier"]);
    writeFileSync(`${path}.replaying`, "unfinished\n");
    writeFileSync(path, "no letter\n");
    await assert.rejects(run(), /an earlier replay did not come to its end/);
    assert.deepEqual([read(path), read(`${path}.replaying`)], [["no letter"], ["unfinished"]]);
  });

  test("a survey counts by reason and sends nothing", async (t) => {
    const { site, path } = await prepare(t);
    await letters(path, 3);
    writeFileSync(path, "no letter\n\n", { flag: "a" });
    const found = await survey(path);
    assert.deepEqual([found.total, found.unreadable, [...found.byReason]], [4, 1, [["functional_error", 3]]]);
    assert.deepEqual(site.fields(), []);
  });
});

describe("threatbus-opencti replay", () => {
  async function command(t: TestContext, site: DeliverySite, ...args: string[]) {
    const config = join(folder(t), "config.yaml");
    writeFileSync(
      config,
      `opencti: {url: "${site.server.url}", token: "${TOKEN}"}\nstate_dir: ${join(config, "..")}\n`,
    );
    const all = [PROGRAM, "replay", "-c", config, ...args];
    const running = await startCommand({ program: process.execPath, args: all, timeout: 60_000 });
    const lines: string[] = [];
    for await (const line of running.lines) lines.push(line);
    const { code, errorText } = await running.ended;
    return { code, lines, errorText };
  }

  test("shows, sends, and says what remains", async (t) => {
    const site = await startDelivery(t);
    addIndicator(site, "[domain-name:value = 'evil.example']", { stix_id: ID });
    const path = join(folder(t), "dead.jsonl");
    await letters(path, 3);
    writeFileSync(path, "no letter\n", { flag: "a" });
    const dry = await command(t, site, "--dry-run", path);
    assert.deepEqual([dry.code, dry.lines.slice(1)], [0, ["3 functional_error", "1 cannot be read"]]);
    assert.equal(site.sightings().length, 0);
    const real = await command(t, site, path);
    assert.equal(real.code, 1);
    assert.match(real.errorText, /4 of 4\s+.*1 dead letters are in .*\.remaining/);
    assert.ok(real.lines.includes("3 written, 0 need nothing any more, 1 remain"), real.lines.join("\n"));
    assert.equal(site.sightings().length, 3);
    assert.doesNotMatch(real.errorText + real.lines.join(""), new RegExp(TOKEN));
  });
});

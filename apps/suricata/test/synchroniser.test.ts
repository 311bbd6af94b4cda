/** What Suricata is told, and what is not taken for done. */
import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually, RecordingLogger } from "@threatbus/testkit";
import { SETS } from "../src/iocs/sets.ts";
import { CommandSocket } from "../src/suricata/command-socket.ts";
import type { SuricataError } from "../src/suricata/errors.ts";
import type { ReloadOutcome } from "../src/suricata/reload.ts";
import type { SetChange } from "../src/suricata/set-changes.ts";
import { Synchroniser, type SynchroniserParts } from "../src/suricata/synchroniser.ts";
import { StandIn, type StandInOptions } from "./stand-in/suricata.ts";
import { folder } from "./support/programs.ts";

const SOON = { poll: 2, deadline: 5_000 };
const DATASETS = { "threatbus-ip": "ip", "threatbus-domain": "string" };

async function standIn(
  t: TestContext,
  options: Partial<StandInOptions> = {},
): Promise<StandIn & { readonly path: string }> {
  const path = join(await folder(t), "command.socket");
  const made = Object.assign(new StandIn({ path, sets: DATASETS, ...options }), { path });
  await made.listen();
  t.after(() => made.close());
  return made;
}

function synchronise(t: TestContext, parts: Partial<SynchroniserParts> & { readonly socket: string }) {
  const outcomes: ReloadOutcome[] = [];
  const health: { ok?: boolean; detail?: string | undefined } = {};
  const notes: string[] = [];
  const logger = new RecordingLogger();
  const synchroniser = new Synchroniser({
    suricatasc: "/nonexistent/suricatasc",
    reloadWith: "socket",
    interval: 20,
    logger,
    health: { set: (_, ok, detail) => Object.assign(health, { ok, detail }) },
    onReload: (outcome) => outcomes.push(outcome),
    note: (reason) => notes.push(reason),
    times: SOON,
    busyPause: 10,
    ...parts,
  });
  const end = new AbortController();
  const ended = synchroniser.run(end.signal);
  t.after(async () => {
    end.abort();
    await ended;
  });
  return { synchroniser, outcomes, health, notes, logger };
}

function change(action: "add" | "remove", kind: "ip" | "domain", value: string): SetChange {
  const set = SETS.find((one) => one.kind === kind);
  assert.ok(set);
  return { action, set, value };
}

for (const version of ["0.2", "0.1"]) {
  test(`the first thing is a reload, with version ${version} of the protocol too`, async (t) => {
    const suricata = await standIn(t, { versions: [version] });
    const { synchroniser, outcomes, health } = synchronise(t, { socket: suricata.path });
    await eventually("everything is loaded", () => !synchroniser.pending);
    assert.deepEqual(outcomes, [{ loaded: 7, failed: 0, skipped: 0, samples: [] }]);
    assert.equal(health.ok, true);
    assert.equal(suricata.greetings.at(-1)?.trim(), `{"version":"${version}"}`);
  });
}

test("rules that Suricata refuses are told, some of them", async (t) => {
  const suricata = await standIn(t);
  suricata.failed = Array.from({ length: 9 }, (_, line) => ({ rule: `rule ${line}`, filename: "x.rules", line }));
  const { outcomes } = synchronise(t, { socket: suricata.path });
  await eventually("a reload", () => outcomes.length === 1);
  assert.equal(outcomes[0]?.failed, 9);
  assert.equal(outcomes[0]?.samples.length, 5);
  assert.equal(outcomes[0]?.samples[0]?.rule, "rule 0");
});

test("what is written during a reload is loaded by the next one", async (t) => {
  const suricata = await standIn(t);
  suricata.hold = true;
  const { synchroniser, outcomes } = synchronise(t, { socket: suricata.path });
  await eventually("a reload has begun", () => suricata.commands("ruleset-reload-nonblocking").length === 1);
  synchroniser.changed({ reload: true, sets: [] });
  suricata.release();
  await eventually("another one", () => outcomes.length === 2);
  assert.equal(suricata.reloads, 2);
  assert.equal(synchroniser.pending, false);
});

test("a reload that is under way, or refused, is asked for again", async (t) => {
  const suricata = await standIn(t);
  suricata.refusals.push(
    "Reload already in progress",
    "Live rule reload not possible if -s or -S option used at runtime.",
  );
  const { synchroniser, health, logger } = synchronise(t, { socket: suricata.path });
  await eventually("everything is loaded", () => !synchroniser.pending);
  assert.equal(suricata.commands("ruleset-reload-nonblocking").length, 3);
  assert.equal(health.ok, true);
  assert.ok(logger.lines.some(({ fields }) => /-s or -S/.test(JSON.stringify(fields))));
});

test("while the socket is missing nothing is forgotten, and the health says so", async (t) => {
  const suricata = await standIn(t);
  await suricata.close();
  const { synchroniser, health } = synchronise(t, { socket: suricata.path });
  await eventually("it is noticed", () => health.ok === false);
  assert.match(health.detail ?? "", /ENOENT/);
  synchroniser.changed({ reload: false, sets: [change("add", "ip", "198.51.100.3")] });
  await suricata.listen();
  await eventually("everything is loaded", () => !synchroniser.pending);
  assert.equal(suricata.reloads, 1);
});

test("a reload brings the changes that were in the files when it began, and any number of them", async (t) => {
  const suricata = await standIn(t);
  const { synchroniser, outcomes } = synchronise(t, { socket: suricata.path });
  synchroniser.changed({ reload: false, sets: [change("add", "ip", "198.51.100.3")] });
  await eventually("everything is loaded", () => !synchroniser.pending);
  assert.deepEqual(suricata.commands("dataset-add"), []);
  const many = Array.from({ length: 50_001 }, (_, at) => change("add", "ip", `10.${at >> 16}.${at >> 8}.${at}`));
  synchroniser.changed({ reload: false, sets: many });
  await eventually("loaded again", () => outcomes.length === 2 && !synchroniser.pending);
  assert.deepEqual(suricata.commands("dataset-add"), [], "not one by one");
});

test("a Suricata that goes away in the middle is told again", async (t) => {
  const suricata = await standIn(t);
  suricata.hold = true;
  const { synchroniser } = synchronise(t, { socket: suricata.path });
  await eventually("a reload has begun", () => suricata.commands("ruleset-reload-time").length > 1);
  await suricata.close();
  suricata.release();
  await suricata.listen();
  await eventually("everything is loaded", () => !synchroniser.pending);
  assert.ok(suricata.commands("ruleset-reload-nonblocking").length >= 2);
});

test("changes of datasets are told at once, and twice do no harm", async (t) => {
  const suricata = await standIn(t);
  const { synchroniser, notes } = synchronise(t, { socket: suricata.path, interval: 3_600_000 });
  await eventually("everything is loaded", () => !synchroniser.pending);
  const sets = [
    change("add", "ip", "2001:db8::1"),
    change("add", "domain", "ZXZpbC5leGFtcGxl"),
    change("remove", "ip", "10.0.0.1"),
  ];
  for (let round = 0; round < 2; round++) {
    synchroniser.changed({ reload: false, sets });
    await eventually("it is told", () => !synchroniser.pending);
  }
  assert.deepEqual([...(suricata.values.get("threatbus-ip") ?? [])], ["2001:db8::1"]);
  assert.deepEqual([...(suricata.values.get("threatbus-domain") ?? [])], ["ZXZpbC5leGFtcGxl"]);
  assert.equal(suricata.reloads, 1);
  assert.deepEqual(notes, []);
  synchroniser.changed({ reload: false, sets: [change("add", "ip", "!"), change("add", "ip", "10.0.0.7")] });
  await eventually("it is told", () => !synchroniser.pending);
  assert.deepEqual(notes, ["dataset_refused"], "one that is refused does not keep the others");
  assert.ok(suricata.values.get("threatbus-ip")?.has("10.0.0.7"));
});

test("a dataset that Suricata does not know, or commands that it does not, make it reload", async (t) => {
  for (const options of [{ sets: {} }, { unknown: ["dataset-add", "ruleset-reload-time", "ruleset-stats"] }]) {
    const suricata = await standIn(t, options);
    const { synchroniser, outcomes } = synchronise(t, { socket: suricata.path });
    await eventually("everything is loaded", () => !synchroniser.pending);
    synchroniser.changed({ reload: false, sets: [change("add", "ip", "198.51.100.3")] });
    await eventually("loaded again", () => outcomes.length === 2 && !synchroniser.pending);
  }
});

test("suricatasc is used where the socket does not speak our protocol; a NOK on its standard output is a no", async (t) => {
  const cwd = await folder(t);
  const program = join(cwd, "suricatasc");
  const answers = join(cwd, "asked");
  await writeFile(
    program,
    `#!/bin/sh
[ "$1 $2 $3" = "-c ruleset-reload-nonblocking ${cwd}/socket" ] || exit 2
echo asked >> ${answers}
if [ $(wc -l < ${answers}) = 1 ]; then echo '{"message": "Reload already in progress", "return": "NOK"}'; exit 0; fi
echo '{"message": "done", "return": "OK"}'
`,
  );
  await chmod(program, 0o755);
  const other = createServer((socket) => void socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n"));
  await new Promise<void>((resolve) => other.listen(join(cwd, "socket"), resolve));
  t.after(() => void other.close());
  for (const reloadWith of ["auto", "suricatasc"] as const) {
    await writeFile(answers, "");
    const { synchroniser, logger } = synchronise(t, { socket: join(cwd, "socket"), suricatasc: program, reloadWith });
    await eventually("everything is loaded", () => !synchroniser.pending);
    assert.ok(logger.lines.some(({ message }) => /reloading its rules already/.test(message)));
  }
});

test("answers that make no sense end in an error, not in waiting", async (t) => {
  const cwd = await folder(t);
  for (const answer of ["", "nonsense\n", '{"return":"MAYBE"}\n', "[]\n"]) {
    const path = join(cwd, `socket${answer.length}`);
    const server = createServer((socket) => void socket.on("error", () => undefined).end(answer));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    t.after(() => void server.close());
    await assert.rejects(
      CommandSocket.open(path, { signal: new AbortController().signal, timeout: 1_000 }),
      (error: SuricataError) => error.reason === "protocol",
      JSON.stringify(answer),
    );
  }
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(join(cwd, "silent"), resolve));
  t.after(() => void silent.close());
  const opened = CommandSocket.open(join(cwd, "silent"), { signal: new AbortController().signal, timeout: 20 });
  await assert.rejects(opened, /no answer within 20 ms/);
});

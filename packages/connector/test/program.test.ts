/** A connector as a program: settings, commands, exit codes, signals, health and metrics. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { connect } from "@threatbus/client";
import { eventually, indicator } from "@threatbus/testkit";
import { folder, startBus, startSample } from "./support/programs.ts";

const ok = { code: 0, signal: null };

test("check-config: no file, a good one, and one with errors, all told at once", async (t) => {
  const none = await startSample(t, { args: ["check-config"] });
  assert.deepEqual(await none.exited, ok);
  assert.match(none.lines.join("\n"), /built-in defaults.*no errors/);
  const good = await startSample(t, { args: ["check-config"], settings: { mode: "idle" } });
  assert.deepEqual(await good.exited, ok);
  const wrong = { threatbus: "nowhere", snapshot: -1, mod: "idle", http: { port: 99_999 } };
  const bad = await startSample(t, { args: ["check-config"], settings: wrong });
  assert.deepEqual(await bad.exited, { code: 78, signal: null });
  const told = bad.lines.join("\n");
  for (const key of ["threatbus", "snapshot", "mod", "http.port"]) assert.match(told, new RegExp(`\\b${key}\\b`));
  assert.match(told, /threatbus-sample check-config/);
  for (const threatbus of ["localhost:0", "localhost:65536", "tcp://[::1]:99999"]) {
    const child = await startSample(t, { args: ["check-config"], settings: { threatbus } });
    assert.deepEqual(await child.exited, { code: 78, signal: null }, threatbus);
  }
});

test("variables go before the file: with the prefix, with a name of their own, and from .env", async (t) => {
  const cwd = await folder(t);
  const show = async (env: Record<string, string>) => {
    const child = await startSample(t, { cwd, args: ["show", "token"], settings: { tool: { token: "file" } }, env });
    assert.deepEqual(await child.exited, ok, child.lines.join("\n"));
    return child.lines.at(-1);
  };
  assert.equal(await show({}), "token: file");
  await writeFile(join(cwd, ".env"), "SAMPLE_TOKEN=dotenv\n");
  assert.equal(await show({}), "token: dotenv");
  assert.equal(await show({ SAMPLE_TOKEN: "alias" }), "token: alias");
  assert.equal(await show({ SAMPLE_THREATBUS_TOOL__TOKEN: "prefix" }), "token: prefix");
});

test("a secret comes from a file, and a file that is not there is an error without it", async (t) => {
  const cwd = await folder(t);
  await writeFile(join(cwd, "token"), "from-file\n");
  const found = await startSample(t, {
    cwd,
    args: ["show", "token", "--loud"],
    settings: { tool: { token: { file: "token" } } },
  });
  assert.deepEqual(await found.exited, ok);
  assert.equal(found.lines.at(-1), "TOKEN: FROM-FILE");
  const missing = await startSample(t, {
    cwd,
    args: ["check-config"],
    settings: { tool: { token: { file: "none" } } },
  });
  assert.deepEqual(await missing.exited, { code: 78, signal: null });
  assert.match(missing.lines.join("\n"), /tool\.token.*secret file none/);
});

test("--version, --help and commands that are not there", async (t) => {
  const version = await startSample(t, { args: ["--version"] });
  assert.deepEqual(await version.exited, ok);
  assert.match(version.lines.join(), /^\d+\.\d+\.\d+$/);
  const help = await startSample(t, { args: ["--help"] });
  assert.deepEqual(await help.exited, ok);
  for (const command of ["run", "check-config", "show"])
    assert.match(help.lines.join("\n"), new RegExp(`^ +${command}\\b`, "m"));
  const wrong = await startSample(t, { args: ["rnu"] });
  assert.equal((await wrong.exited).code, 2);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal} ends the workers, then what the connector does at its end, with exit code 0`, async (t) => {
    const child = await startSample(t, { settings: {} });
    await child.line(/ready: threatbus localhost:13370, health and metrics http/);
    assert.deepEqual(await child.stop(signal), ok);
    const steps = child.lines.flatMap(
      (line) => /stopping|worker ended|end function called|stopped/.exec(line)?.[0] ?? [],
    );
    assert.deepEqual(steps, ["stopping", "worker ended", "end function called", "stopped"]);
  });
}

test("one that cannot start says why, with exit code 1; one that starts for ever can be stopped", async (t) => {
  const fails = await startSample(t, { settings: { mode: "start_fails" } });
  assert.deepEqual(await fails.exited, { code: 1, signal: null });
  assert.match(fails.lines.join("\n"), /threatbus-sample: the tool is not there/);
  const hangs = await startSample(t, { settings: { mode: "start_hangs", logging: { console_verbosity: "DEBUG" } } });
  await hangs.line(/configuration read/);
  assert.deepEqual(await hangs.stop("SIGTERM"), ok);
  assert.ok(!hangs.lines.join().includes("ready:"));
});

test("what does not hear that it has to end is left after some seconds, and named", async (t) => {
  const worker = await startSample(t, { settings: { mode: "worker_is_deaf" } });
  const start = await startSample(t, { settings: { mode: "start_is_deaf", logging: { console_verbosity: "DEBUG" } } });
  await Promise.all([worker.line(/ready: /), start.line(/configuration read/)]);
  const exits = await Promise.all([worker.stop("SIGTERM", 40_000), start.stop("SIGTERM", 40_000)]);
  assert.deepEqual(exits, [ok, ok]);
  assert.match(worker.lines.join("\n"), /did not end as it should.*first/);
  assert.ok(worker.lines.join("\n").includes("end function called"), "the rest is ended as ever");
  assert.match(start.lines.join("\n"), /did not end as it should.*start/);
});

test("a second signal ends it at once", async (t) => {
  const child = await startSample(t, { settings: { mode: "worker_is_deaf" } });
  await child.line(/ready: /);
  child.kill("SIGTERM");
  await child.line(/stopping/);
  assert.deepEqual(await child.stop("SIGINT"), { code: 130, signal: null });
});

test("an error that nobody has caught is told, and ends it with exit code 1", async (t) => {
  const child = await startSample(t, { settings: { mode: "unhandled" } });
  assert.deepEqual(await child.exited, { code: 1, signal: null });
  assert.match(child.lines.join("\n"), /nobody has caught this/);
});

test("a state_dir that cannot be written to is an error before anything runs", async (t) => {
  const cwd = await folder(t);
  await writeFile(join(cwd, "file"), "");
  const child = await startSample(t, { cwd, settings: { state_dir: "file/state" } });
  assert.deepEqual(await child.exited, { code: 1, signal: null });
  const told = child.lines.join("\n");
  assert.match(told, /threatbus-sample: state_dir .*file\/state cannot be used: .*name another directory in state_dir/);
  assert.doesNotMatch(told, /ready|stopping/);
});

test("a port that is in use is an error that names the setting", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const child = await startSample(t, { settings: { http: { port } } });
  const { code } = await child.exited;
  assert.equal(code, 1);
  assert.match(child.lines.join("\n"), new RegExp(`${port}.*http\\.port`));
});

test("a worker that throws is told, makes it unhealthy, and starts again", async (t) => {
  const child = await startSample(t, { settings: { mode: "worker_fails" } });
  const [, url] = await child.line(/health and metrics (http:\S+)/);
  await child.line(/it broke/);
  const health = await fetch(`${url}/health`);
  assert.equal(health.status, 503);
  assert.deepEqual(await health.json(), { status: "failing", parts: { first: { ok: false } } });
  await eventually("the second failure", () => child.lines.filter((line) => line.includes("it broke")).length >= 2);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  assert.match(metrics, /^threatbus_worker_restarts_total\{worker="first"\} \d+$/m);
  assert.match(metrics, /^threatbus_connector_part_ok\{part="first"\} 0$/m);
  assert.deepEqual(await child.stop(), ok);
});

test("with a bus: subscription, sighting, metrics, and a position that the next run goes on from", {
  timeout: 120_000,
}, async (t) => {
  const threatbus = await startBus(t);
  const cwd = await folder(t);
  const settings = { threatbus, mode: "report", state_dir: "state/deep" };
  const child = await startSample(t, { cwd, settings });
  const [, url] = await child.line(/health and metrics (http:\S+)/);
  const health = async () =>
    (await (await fetch(`${url}/health`)).json()) as { status: string; parts: Record<string, object> };
  await eventually("the subscription", async () => (await health()).status === "ok" && "bus" in (await health()).parts);
  const client = connect({ endpoint: threatbus, name: "platform" });
  t.after(() => client.close());
  const sightings = client.subscribe("stix2/sighting");
  await sightings.ready();
  await client.publish(indicator());
  for await (const { object } of sightings) {
    assert.equal(object.sighting_of_ref, indicator().object.id);
    break;
  }
  await eventually("the metrics", async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return (
      /^threatbus_connector_published_total 1$/m.test(text) &&
      /^threatbus_connector_dropped_total\{reason="sampled"\} 1$/m.test(text)
    );
  });
  assert.deepEqual((await health()).parts.tool, { ok: false, detail: "seen" });
  assert.deepEqual(await child.stop(), ok);
  const position = JSON.parse(await readFile(join(cwd, "state/deep/bus.position"), "utf8")) as { position: number };
  assert.ok(position.position > 0);

  const again = await startSample(t, { cwd, settings });
  await again.line(/subscription.*live|live.*subscription/);
  await client.publish(indicator({ id: "indicator--00000000-0000-4000-8000-000000000002" }));
  await again.line(/sampled/);
  assert.deepEqual(await again.stop(), ok);
  // The first indicator did not come again.
  assert.ok(again.lines.filter((line) => line.includes("sampled")).every((line) => !/count["=: ]+2/.test(line)));
});

test("a message in which the worker failed comes again, over a new subscription", { timeout: 120_000 }, async (t) => {
  const threatbus = await startBus(t);
  const child = await startSample(t, { settings: { threatbus, mode: "worker_fails_once" } });
  const [, url] = await child.line(/health and metrics (http:\S+)/);
  await child.line(/subscription.*live|live.*subscription/);
  const client = connect({ endpoint: threatbus, name: "platform" });
  t.after(() => client.close());
  const sightings = client.subscribe("stix2/sighting");
  await sightings.ready();
  await client.publish(indicator());
  for await (const { object } of sightings) {
    assert.equal(object.sighting_of_ref, indicator().object.id);
    break;
  }
  assert.match(child.lines.join("\n"), /it broke in the middle/);
  const { parts } = (await (await fetch(`${url}/health`)).json()) as { parts: Record<string, object> };
  assert.deepEqual(parts.bus, { ok: true });
  assert.deepEqual(await child.stop(), ok);
});

test("a bus that is away shows in the health, and does not keep it from ending", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  const child = await startSample(t, { settings: { threatbus: `127.0.0.1:${port}`, mode: "report" } });
  const [, url] = await child.line(/health and metrics (http:\S+)/);
  const health = await fetch(`${url}/health`);
  assert.equal(health.status, 503);
  assert.match(await health.text(), /"bus":\{"ok":false,"detail":"connecting/);
  assert.deepEqual(await child.stop(), ok);
});

test("a bus that is away shows in the health of who only publishes, until it is there", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  const child = await startSample(t, { settings: { threatbus: `127.0.0.1:${port}`, mode: "publish" } });
  const [, url] = await child.line(/health and metrics (http:\S+)/);
  const health = async () => (await fetch(`${url}/health`)).text();
  await eventually("the health to tell", async () =>
    (await health()).includes('"publish":{"ok":false,"detail":"waiting'),
  );
  await startBus(t, port);
  await eventually("the health to be well", async () => (await health()).includes('"publish":{"ok":true}'));
  assert.match(await (await fetch(`${url}/metrics`)).text(), /^threatbus_connector_published_total 1$/m);
  assert.deepEqual(await child.stop(), ok);
});

test("http: false listens nowhere", async (t) => {
  const child = await startSample(t, { settings: { http: false } });
  const [line] = await child.line(/ready: .*/);
  assert.ok(!line.includes("http"));
  assert.deepEqual(await child.stop(), ok);
});

test("systemd is told that it is ready, and that it stops, however slow the helper is", async (t) => {
  const bin = await folder(t);
  const notes = join(bin, "notes");
  const helper = `#!/bin/sh\necho "$1 $NOTIFY_SOCKET" >> ${notes}\nsleep 0.1\n`;
  await writeFile(join(bin, "systemd-notify"), helper);
  await chmod(join(bin, "systemd-notify"), 0o755);
  const env = { NOTIFY_SOCKET: "/run/systemd/notify", PATH: [bin, process.env.PATH ?? ""].join(delimiter) };
  const child = await startSample(t, { settings: {}, env });
  await child.line(/ready: /);
  assert.deepEqual(await child.stop(), ok);
  const told = await readFile(notes, "utf8");
  assert.equal(told, "READY=1 /run/systemd/notify\nSTOPPING=1 /run/systemd/notify\n");
});

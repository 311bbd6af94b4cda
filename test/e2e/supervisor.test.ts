/** What a supervisor and the tools around it do with the bus: systemd, impatient people, logrotate. */
import assert from "node:assert/strict";
import { chmod, copyFile, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { indicator } from "../interop/support/objects.ts";
import { folder, start } from "../interop/support/process.ts";
import { pythonPrograms } from "../interop/support/python.ts";
import { eventually } from "../interop/support/wait.ts";
import { type Bus, records, startBus, stopCleanly } from "./support/bus.ts";
import { app, nextText, publishInStep } from "./support/client.ts";
import { IdleApp } from "./support/idle-app.ts";

const receiver = new URL("./support/notify-socket.py", import.meta.url).pathname;

async function passesMessages(t: TestContext, bus: Bus): Promise<void> {
  const client = app(t, bus, "works");
  const subscription = client.subscribe("stix2");
  await subscription.ready();
  const object = indicator("198.51.100.40");
  await client.publish(object);
  assert.equal(await nextText(subscription), object);
}

/** A folder with a `systemd-notify` that does what `lines` say. */
async function helper(t: TestContext, lines: string): Promise<string> {
  const path = await folder(t);
  await writeFile(join(path, "systemd-notify"), `#!/bin/sh\n${lines}\n`);
  await chmod(join(path, "systemd-notify"), 0o755);
  return path;
}

test("systemd is told READY=1 once apps can connect, and STOPPING=1 at the stop", async (t) => {
  const programs = await pythonPrograms(t, "peers");
  if (programs === undefined) return;
  const socket = join(await folder(t), "notify");
  const supervisor = start(t, `${programs}/python`, [receiver, socket]);
  await supervisor.line(/^listening$/);
  const helpers = await helper(t, `exec '${programs}/python' '${receiver}' "$NOTIFY_SOCKET" "$@"`);
  const env = { NOTIFY_SOCKET: socket, PATH: `${helpers}:${process.env.PATH}` };
  const bus = await startBus(t, { env });
  await supervisor.line(/^READY=1$/);
  await passesMessages(t, bus);
  assert.equal(supervisor.lines.includes("STOPPING=1"), false);
  await stopCleanly(bus);
  await supervisor.line(/^STOPPING=1$/);
});

const warnings = (bus: Bus) =>
  records(bus.child).filter(({ msg }) => /systemd could not be notified/.test(String(msg)));

test("a supervisor that cannot be told is a warning", async (t) => {
  const env = { NOTIFY_SOCKET: "/nonexistent/notify", PATH: `${await helper(t, "exit 1")}:${process.env.PATH}` };
  const bus = await startBus(t, { env });
  await eventually("the warning", () => warnings(bus)[0]);
  await passesMessages(t, bus);
  await stopCleanly(bus);
});

test("a helper that hangs does not hold up the start, and the stop for a moment only", async (t) => {
  const env = { NOTIFY_SOCKET: "/nonexistent/notify", PATH: `${await helper(t, "exec sleep 20")}:${process.env.PATH}` };
  const bus = await startBus(t, { env });
  await stopCleanly(bus);
  // It had not been given up when the bus ended.
  assert.deepEqual(warnings(bus), []);
});

test("a second signal ends the bus at once with 130, whatever its queues hold", async (t) => {
  const settings = { zmq: { max_items: 1_000, high_water_mark: 65_536 }, top: { drain_timeout: "10m" } };
  const bus = await startBus(t, settings);
  await IdleApp.subscribe(t, bus);
  const reader = app(t, bus, "reads").subscribe("stix2");
  await reader.ready();
  // More than the buffers of the sockets hold: the drain does not come to its end.
  const description = "x".repeat(8_000);
  const objects = Array.from({ length: 2_000 }, (_, i) => indicator("198.51.100.41", { x_order: i, description }));
  await publishInStep(app(t, bus, "publisher"), objects, reader);
  bus.child.kill("SIGTERM");
  await bus.child.line(/"stopping"/);
  assert.equal(bus.child.ended, false);
  bus.child.kill("SIGINT");
  assert.deepEqual(await bus.child.exited, { code: 130, signal: null });
});

test("logrotate with copytruncate: nothing is lost, and the new file begins with whole lines", async (t) => {
  const log = join(await folder(t), "threatbus.log");
  const logging = { file: true, file_verbosity: "DEBUG", filename: log, format: "json" };
  const bus = await startBus(t, { top: { logging: { console_verbosity: "DEBUG", ...logging } } });
  await passesMessages(t, bus);
  await copyFile(log, `${log}.1`);
  await truncate(log, 0);
  await passesMessages(t, bus);
  await stopCleanly(bus);
  const [old, current] = await Promise.all([`${log}.1`, log].map((file) => readFile(file, "utf8")));
  assert.match(old ?? "", /"ready: /);
  // An append that remembered its place would leave a hole of zeros in front.
  const written = (current ?? "").trimEnd().split("\n");
  assert.equal(JSON.parse(written.at(-1) ?? "").msg, "stopped");
  assert.deepEqual(
    [...(old ?? "").trimEnd().split("\n"), ...written],
    bus.child.lines.filter((line) => line.startsWith("{")),
  );
});

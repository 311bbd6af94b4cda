/** A real Zeek with the package in apps/zeek, where one is installed: the whole way there and back. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { capture } from "@threatbus/app-zeek/capture";
import type { Child } from "../../scripts/child.ts";
import { root } from "../../scripts/python/environments.ts";
import { type Bus, startBus, stopCleanly } from "../e2e/support/bus.ts";
import { app, take } from "../e2e/support/client.ts";
import { indicator } from "./support/objects.ts";
import { folder, start } from "./support/process.ts";

const CONNECTIONS = [
  { time: "2026-05-04T12:00:00.000Z", source: "192.0.2.10", destination: "198.51.100.1" },
  { time: "2026-05-04T12:00:01.000Z", source: "192.0.2.11", destination: "198.51.100.2" },
  { time: "2026-05-04T12:00:02.000Z", source: "192.0.2.12", destination: "198.51.100.9", host: "evil.example" },
];

/** The connections of one second, all to the same address. */
const NOISE = Array.from({ length: 20 }, (_, i) => ({
  time: `2026-05-04T12:00:00.${String(i * 40).padStart(3, "0")}Z`,
  source: `192.0.2.${i + 1}`,
  destination: "198.51.100.1",
}));

/** Where there is no zeek, the test is skipped. */
function hasZeek(t: TestContext): boolean {
  const found = spawnSync("zeek", ["--version"]).status === 0;
  if (!found) t.skip("needs zeek on PATH");
  return found;
}

/** Looks at the traffic when it has been told of `events` additions and removals; prints what it is told. */
function script(port: number, events: number): string {
  return `@load ${root}/apps/zeek/threatbus.zeek

redef exit_only_after_terminate = T;
redef Tenzir::noisy_intel_threshold = 5;
redef Tenzir::broker_port = ${port}/tcp;

module ThreatBusTest;

global told = 0;

function say(line: string)
	{
	print line;
	flush_all();
	}

event zeek_init()
	{
	suspend_processing();
	}

event Tenzir::subscription_acknowledged(topic: string) &priority=-10
	{
	say("acknowledged");
	}

event Tenzir::intel(item: Tenzir::Intelligence) &priority=-10
	{
	say(fmt("%s %s", item$operation, item$indicator));

	if ( ++told == ${events} )
		continue_processing();
	}
`;
}

async function startZeek(t: TestContext, port: number, events: number, traffic = CONNECTIONS): Promise<Child> {
  const cwd = await folder(t);
  await writeFile(join(cwd, "traffic.pcap"), capture(traffic));
  await writeFile(join(cwd, "test.zeek"), script(port, events));
  const zeek = start(t, "zeek", ["-C", "-r", "traffic.pcap", "test.zeek"], { cwd });
  await zeek.line(/^acknowledged$/);
  return zeek;
}

function brokerPort(bus: Bus): number {
  const line = bus.child.lines.find((text) => /\bready: /.test(text)) ?? "";
  return Number(/zeek broker \S*?:(\d+)/.exec(line)?.[1]);
}

const idOf = (text: string) => (JSON.parse(text) as { readonly id: string }).id;

test("Zeek gets indicators over Broker, finds them in traffic, and its sightings come back", async (t) => {
  if (!hasZeek(t)) return;
  const bus = await startBus(t, { apps: { zeek: { port: 0 } } });
  const platform = app(t, bus, "platform");
  const sightings = platform.subscribe("stix2/sighting");
  await sightings.ready();
  const zeek = await startZeek(t, brokerPort(bus), 4);
  const removed = indicator("198.51.100.1");
  const address = indicator("198.51.100.2");
  const domain = indicator("", { pattern: "[domain-name:value = 'Evil.example']" });
  await platform.publish([removed, address, domain]);
  await zeek.line(/^ADD evil\.example$/);
  await platform.publish(JSON.stringify({ ...JSON.parse(removed), x_threatbus_update: "REMOVE" }));
  await zeek.line(/^REMOVE 198\.51\.100\.1$/);

  const seen = (await take(sightings[Symbol.asyncIterator](), 2)).map(({ bytes }) => JSON.parse(String(bytes)));
  assert.deepEqual(new Set(seen.map((each) => each.sighting_of_ref)), new Set([idOf(address), idOf(domain)]));
  for (const each of seen) assert.match(each.x_threatbus_source, /^zeek:[0-9a-f-]{36}$/);
  await stopCleanly(bus);
});

test("Zeek reports an indicator that matches too often with one number", async (t) => {
  if (!hasZeek(t)) return;
  const bus = await startBus(t, { apps: { zeek: { port: 0 } } });
  const platform = app(t, bus, "platform");
  const sightings = platform.subscribe("stix2/sighting");
  await sightings.ready();
  await startZeek(t, brokerPort(bus), 1, NOISE);
  await platform.publish(indicator("198.51.100.1"));

  const seen = (await take(sightings[Symbol.asyncIterator](), 6)).map(({ bytes }) => JSON.parse(String(bytes)));
  const contexts = seen.map((each) => each.x_threatbus_sighting_context);
  assert.deepEqual(contexts, [...Array(5).fill({ noisy: false }), { noisy: true, count: NOISE.length }]);
  await stopCleanly(bus);
});

test("Zeek subscribes again when the bus is started again, and the bus takes a Zeek that is started again", async (t) => {
  if (!hasZeek(t)) return;
  const first = await startBus(t, { apps: { zeek: { port: 0 } } });
  const port = brokerPort(first);
  const zeek = await startZeek(t, port, 1_000);
  await stopCleanly(first);
  const from = zeek.lines.length;
  const bus = await startBus(t, { apps: { zeek: { port } } });
  await zeek.line(/^acknowledged$/, { from });
  const platform = app(t, bus, "platform");
  await platform.publish(indicator("198.51.100.1"));
  await zeek.line(/^ADD 198\.51\.100\.1$/);
  await zeek.stop();
  const again = await startZeek(t, port, 1_000);
  await platform.publish(indicator("198.51.100.2"));
  await again.line(/^ADD 198\.51\.100\.2$/);
  assert.equal(again.lines.filter((line) => line.startsWith("ADD")).length, 1);
  await stopCleanly(bus);
});

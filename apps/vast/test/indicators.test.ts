/** What becomes of indicators from the bus: bounds on what is open and on what is matched live. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Message } from "@threatbus/client";
import { PositionGate } from "@threatbus/connector";
import { eventually, numberedIndicator, RecordingLogger } from "@threatbus/testkit";
import { Registry } from "prom-client";
import { InFlight } from "../src/in-flight.ts";
import { followIndicators } from "../src/indicators.ts";
import { Matcher } from "../src/matcher.ts";
import { VastMetrics } from "../src/metrics.ts";
import { ValueRegistry } from "../src/registry.ts";
import { vastParts } from "./support/session.ts";
import { temporaryFolder } from "./support/vast-stub.ts";

function message(number: number, members: object = {}): Message {
  const object = { ...numberedIndicator(number).object, ...members };
  const bytes = Buffer.from(JSON.stringify(object));
  return { type: "indicator", object, bytes } as unknown as Message;
}

const gate = () => new PositionGate({ load: () => undefined, save: () => undefined }, () => undefined);

async function liveSide(t: TestContext, maxIndicators: number) {
  const parts = await vastParts(t);
  const registry = await ValueRegistry.open(join(await temporaryFolder(t), "values.jsonl"), () => undefined);
  t.after(() => registry.close());
  const matcher = new Matcher({ ...parts, registry, onRefused: () => undefined });
  matcher.run(parts.signal).catch(() => undefined);
  const room: boolean[] = [];
  const engine = parts.node.engine;
  const live = {
    matcher,
    registry,
    valueOf: engine.matcherValue,
    maxIndicators,
    onRoom: (hasRoom: boolean) => void room.push(hasRoom),
  };
  const follow = (...messages: readonly Message[]) =>
    followIndicators(
      streamOf(messages),
      { ...parts, gate: gate(), live, retro: undefined, maxOpen: 1, maxOpenBytes: 1e6 },
      parts.signal,
    );
  return { ...parts, registry, room, follow };
}

async function* streamOf(messages: readonly Message[]): AsyncGenerator<Message> {
  yield* messages;
}

test("beyond the limit an indicator is not matched live and counted, until there is room", async (t) => {
  const { follow, registry, dropped, room } = await liveSide(t, 2);
  const values = () => [...registry.values()];
  await follow(message(1), message(2), message(3));
  assert.deepEqual(values(), ["10.0.0.1", "10.0.0.2"]);
  assert.deepEqual([...dropped], [["matcher_full", 1]]);
  assert.equal(room.at(-1), false);
  // One that has a value may change it.
  await follow(message(2, { pattern: "[ipv4-addr:value = '10.0.0.9']" }));
  assert.deepEqual(values(), ["10.0.0.1", "10.0.0.9"]);
  await follow(message(1, { x_threatbus_update: "REMOVE" }), message(3));
  assert.deepEqual(values(), ["10.0.0.9", "10.0.0.3"]);
  assert.deepEqual([...dropped], [["matcher_full", 1]]);
});

test("indicators wait at the bus when their texts take too much memory, not only when they are many", async (t) => {
  const end = new AbortController();
  t.after(() => end.abort());
  const searches = new Map<string, () => void>();
  const retro = {
    match: ({ object }: { readonly object: { readonly id: string } }) =>
      new Promise<void>((resolve) => void searches.set(object.id, resolve)),
  };
  const metrics = new VastMetrics(new Registry());
  const logger = new RecordingLogger();
  const large = message(1, { description: "x".repeat(2_000) });
  const [second, third] = [message(2), message(3)];
  const parts = { gate: gate(), metrics, drops: { note: () => undefined }, logger, live: undefined, retro };
  const following = followIndicators(
    streamOf([second, large, third]),
    { ...parts, maxOpen: 10, maxOpenBytes: 2_000 },
    end.signal,
  );
  await eventually("two are searched for", () => searches.size === 2);
  for (const finish of searches.values()) finish();
  await eventually("the third one as well", () => searches.size === 3);
  for (const finish of searches.values()) finish();
  await following;
});

test("work in flight: room comes with the end of any piece, and the first error is told", async () => {
  const open = new InFlight(2);
  const [lasting, failing] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await open.add(Promise.resolve());
  await open.add(lasting.promise);
  const added = open.add(failing.promise);
  failing.reject(new Error("first failure"));
  await assert.rejects(added, /first failure/);
  lasting.resolve();
  await assert.rejects(open.drained(), /first failure/);
});

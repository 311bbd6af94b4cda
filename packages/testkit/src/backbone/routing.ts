import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Message, MessageFactory } from "@threatbus/core";
import { indicator, sighting } from "../samples.ts";
import { eventually } from "../waiting.ts";
import { startInstance } from "./instance.ts";
import type { BackboneTarget } from "./target.ts";

interface Subscription {
  readonly topic: string;
  readonly subscriber: string;
}

interface RouteVector {
  readonly name: string;
  readonly kind: "route";
  readonly input: { readonly message: string; readonly prefixes: readonly string[] };
  readonly expected: { readonly matching: readonly string[] };
}

interface DeliveryVector {
  readonly name: string;
  readonly kind: "deliver" | "unsubscribe";
  readonly input: {
    readonly messages: readonly string[];
    readonly subscriptions: readonly Subscription[];
    readonly unsubscriptions?: readonly Subscription[];
  };
  readonly expected: { readonly deliveries: Readonly<Record<string, readonly string[]>> };
  readonly better?: DeliveryVector["expected"];
}

const VECTORS: readonly (RouteVector | DeliveryVector)[] = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../vectors/topics.json"), "utf8"),
);

const SNAPSHOT = { snapshotId: "b5ad8b52-6b8e-4d4e-9f2a-0a9c9f0f6c11", seconds: 5 * 86_400 };

/** The vectors' messages by name. Their others (STIX 2.0, identities, text) cannot become messages of this bus. */
const MESSAGES: Readonly<Record<string, (make: MessageFactory) => Message>> = {
  indicator: (make) => make.stix(indicator()),
  sighting: (make) => make.stix(sighting()),
  "snapshotrequest-indicator": (make) => make.snapshotRequest(request("indicator")),
  "snapshotrequest-sighting": (make) => make.snapshotRequest(request("sighting")),
  "snapshotenvelope-indicator": (make) => make.snapshotEnvelope(envelope("indicator")),
  "snapshotenvelope-sighting": (make) => make.snapshotEnvelope(envelope("sighting")),
};

function request(snapshotType: "indicator" | "sighting") {
  return { type: "snapshotrequest", snapshotType, ...SNAPSHOT } as const;
}

function envelope(snapshotType: "indicator" | "sighting") {
  const body = snapshotType === "indicator" ? indicator() : sighting();
  return { type: "snapshotenvelope", snapshotType, snapshotId: SNAPSHOT.snapshotId, body } as const;
}

/** Each topic goes to the queues subscribed to a prefix of it, once each, as the original routes. */
export function routingTests<Config>(target: BackboneTarget<Config>): void {
  for (const vector of VECTORS) {
    if (vector.kind === "route") {
      if (!Object.hasOwn(MESSAGES, vector.input.message)) continue;
      test(`routing: ${vector.name}`, (t) => route(t, target, vector));
    } else {
      test(`routing: ${vector.name}`, (t) => deliver(t, target, vector));
    }
  }
}

async function route<Config>(t: TestContext, target: BackboneTarget<Config>, vector: RouteVector): Promise<void> {
  const { message, prefixes } = vector.input;
  const subscriptions = prefixes.map((topic) => ({ topic, subscriber: topic }));
  const deliveries = await deliveriesOf(t, target, { messages: [message], subscriptions });
  const matching = prefixes.filter((prefix) => deliveries[prefix]?.length === 1);
  assert.deepEqual(matching, vector.expected.matching);
}

async function deliver<Config>(t: TestContext, target: BackboneTarget<Config>, vector: DeliveryVector): Promise<void> {
  const { deliveries } = vector.better ?? vector.expected;
  const got = await deliveriesOf(t, target, vector.input);
  for (const [subscriber, messages] of Object.entries(deliveries)) {
    assert.deepEqual(got[subscriber] ?? [], messages, `subscriber ${subscriber}`);
  }
}

/** @returns names of the messages that each subscriber got, in order. */
async function deliveriesOf<Config>(
  t: TestContext,
  target: BackboneTarget<Config>,
  input: DeliveryVector["input"],
): Promise<Record<string, readonly string[]>> {
  const instance = await startInstance(t, target, await target.site(t));
  const names = [...input.subscriptions, ...(input.unsubscriptions ?? [])].map(({ subscriber }) => subscriber);
  const queues = new Map([...new Set(names)].map((name) => [name, instance.recorder(name)]));
  for (const { topic, subscriber } of input.subscriptions) {
    await instance.plugin.subscribe(topic, queues.get(subscriber) ?? assert.fail(subscriber));
  }
  for (const { topic, subscriber } of input.unsubscriptions ?? []) {
    await instance.plugin.unsubscribe(topic, queues.get(subscriber) ?? assert.fail(subscriber));
  }
  // Subscribed last and to everything: when it has a message, all others have been offered it.
  const witness = await instance.record([""]);
  const nameOf = new Map<string, string>();
  for (const name of input.messages) {
    const message = (MESSAGES[name] ?? assert.fail(`no message ${name}`))(instance.messages);
    nameOf.set(message.id, name);
    await instance.inq.put(message);
  }
  await eventually("all messages routed", () => witness.count === input.messages.length);
  const namesOf = (ids: readonly string[]) => ids.map((id) => nameOf.get(id) ?? "unknown");
  return Object.fromEntries([...queues].map(([name, queue]) => [name, namesOf(queue.ids)]));
}

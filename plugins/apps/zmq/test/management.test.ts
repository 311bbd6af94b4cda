import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Manager } from "./clients.ts";
import { type Harness, startPlugin } from "./harness.ts";

interface Expected {
  readonly reply: Record<string, unknown>;
  readonly topic?: unknown;
  readonly snapshot_seconds?: number;
  readonly backbone_calls?: readonly (readonly [string, string])[];
  readonly snapshot_requests?: readonly { readonly snapshot_type: string; readonly seconds: number }[];
  readonly registered_subscriptions?: number;
}

type Vector = { readonly name: string } & (
  | {
      readonly kind: "message";
      readonly input: string | { readonly hex: string };
      readonly expected: Expected;
      readonly better?: Expected;
    }
  | {
      readonly kind: "session";
      readonly input: readonly object[];
      readonly expected: readonly Expected[];
      readonly note?: string;
    }
);

const vectors = JSON.parse(
  readFileSync(new URL("./vectors/zmq-management.json", import.meta.url), "utf8"),
) as readonly Vector[];

/** What the reference leaves behind after a failed subscription is an error of its own: here nothing stays. */
const LEAKS = "a failed subscription leaves an entry nobody can name";

/** Compares a reply member by member: `$p2p_topic` and the ports are made up, an error may say why. */
function checkReply(actual: Record<string, unknown>, expected: Record<string, unknown>, harness: Harness): void {
  const { message, ...rest } = actual;
  if (message !== undefined) assert.notEqual(actual.status, "success");
  const filled = Object.fromEntries(
    Object.entries(expected).map(([key, value]) => {
      if (value === "$pub_port") return [key, harness.ports.pub];
      if (value === "$sub_port") return [key, harness.ports.sub];
      if (value === "$p2p_topic") assert.match(String(rest[key]), /^[a-z]{32}$/);
      return [key, value === "$p2p_topic" ? rest[key] : value];
    }),
  );
  assert.deepEqual(rest, filled);
}

/** Compares what the bus was asked to do since the last check. A failed request asks for nothing that stays. */
function checkCalls(harness: Harness, expected: Expected): void {
  const succeeded = expected.reply.status === "success";
  const calls = harness.takeCalls();
  const wanted = succeeded ? (expected.backbone_calls ?? []) : [];
  // A repeated topic is routed once: the reference calls the backbone twice.
  const distinct = [...new Map(wanted.map((call) => [call.join(" "), [...call]])).values()];
  assert.deepEqual(calls.backbone, distinct);
  assert.deepEqual(calls.snapshots, succeeded ? (expected.snapshot_requests ?? []) : []);
}

for (const vector of vectors) {
  if (vector.kind !== "message") continue;
  test(`management message ${vector.name}`, async (t) => {
    const harness = await startPlugin(t);
    const manager = new Manager(t, harness);
    const { input } = vector;
    const expected = vector.better ?? vector.expected;
    const reply = await manager.send(typeof input === "string" ? input : Buffer.from(input.hex, "hex"));
    checkReply(reply, expected.reply, harness);
    checkCalls(harness, expected);
    const registered = reply.status === "success" ? (expected.registered_subscriptions ?? 0) : 0;
    assert.equal(harness.outqs.size, registered);
    // A reply always goes out: the socket still answers.
    assert.equal(await manager.status("heartbeat", "nobody"), "error");
  });
}

for (const vector of vectors) {
  if (vector.kind !== "session") continue;
  test(`management session ${vector.name}`, async (t) => {
    const harness = await startPlugin(t);
    const manager = new Manager(t, harness);
    const topics: unknown[] = [];
    for (const [step, request] of vector.input.entries()) {
      const text = JSON.stringify(request).replace(/"\$(\d)"/g, (_, n: string) =>
        JSON.stringify(topics[Number(n) - 1]),
      );
      const reply = await manager.send(text);
      const expected: Expected | undefined = vector.expected[step];
      assert.ok(expected);
      checkReply(reply, expected.reply, harness);
      if (reply.topic !== undefined) topics.push(reply.topic);
      checkCalls(harness, expected);
      assert.equal(harness.outqs.size, vector.note === LEAKS ? 0 : expected.registered_subscriptions);
    }
  });
}

test("the vectors are all there", () => {
  assert.equal(vectors.filter(({ kind }) => kind === "message").length, 89);
  assert.equal(vectors.filter(({ kind }) => kind === "session").length, 12);
});

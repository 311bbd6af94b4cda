import assert from "node:assert/strict";
import { test } from "node:test";
import { createMessageFactory } from "@threatbus/core";
import { encodeSnapshotEnvelope, encodeSnapshotRequest } from "@threatbus/stix";
import { indicator, sighting } from "@threatbus/testkit";
import { BodyDecoder, bytesOf, messageIdOf } from "../src/decode.ts";
import { RedeliveredIds } from "../src/redelivered.ts";

const SNAPSHOT = { snapshotType: "indicator", snapshotId: "b5ad8b52-6b8e-4d4e-9f2a-0a9c9f0f6c11" } as const;
const decoder = new BodyDecoder(createMessageFactory("rabbitmq"), 4_096);

const BODIES = {
  indicator: indicator().bytes,
  sighting: sighting().bytes,
  snapshotrequest: encodeSnapshotRequest({ type: "snapshotrequest", ...SNAPSHOT, seconds: 60 }),
  snapshotenvelope: encodeSnapshotEnvelope({ type: "snapshotenvelope", ...SNAPSHOT, body: indicator() }),
};

for (const [type, bytes] of Object.entries(BODIES)) {
  test(`${type}: its type tells what it is, and it keeps its id and its bytes`, () => {
    const decoded = decoder.decode(bytes, "id-1");
    assert.ok(decoded.ok);
    assert.equal(decoded.value.type, type);
    assert.equal(decoded.value.id, "id-1");
    assert.ok(decoded.value.bytes.equals(bytes));
  });
}

test("members may come in any order, and names of others mislead nobody", () => {
  const late = `{"snapshot_id": "a", "snapshot": 60, "snapshot_type": 1, "filler": "${"x".repeat(300)}", "type": "snapshotrequest"}`;
  const request = decoder.decode(Buffer.from(`{"x": "${"x".repeat(300)}", ${late.slice(1)}`));
  assert.ok(request.ok && request.value.type === "snapshotrequest");
  const strange = indicator({ members: { name: "snapshot" } }).object;
  const first = { snapshot_name: 1, ...strange };
  const decoded = decoder.decode(Buffer.from(JSON.stringify(first)));
  assert.ok(decoded.ok && decoded.value.type === "indicator");
});

test("what is no message has a reason, and nothing throws", () => {
  const reasonOf = (body: string | Buffer) => {
    const decoded = decoder.decode(Buffer.from(body));
    assert.ok(!decoded.ok);
    return decoded.reason;
  };
  const valid = JSON.stringify(indicator().object);
  const reasons = ["", "nonsense", "[1]", '{"type": "identity"}', "{}", `${valid}x`].map(reasonOf);
  for (const reason of reasons) assert.match(reason, /^[a-z][a-z.-]*$/);
  assert.equal(reasonOf('{"type": "identity"}'), "type");
  assert.equal(reasonOf(" ".repeat(5_000)), reasonOf("x".repeat(5_000)), "too large");
  assert.match(reasonOf(Buffer.from([0x7b, 0xff, 0x7d])), /./);
  assert.match(reasonOf("[".repeat(4_000)), /./);
  for (let length = 0; length < valid.length; length += 1) reasonOf(valid.slice(0, length));
});

test("only ids that can stand in a log are taken over", () => {
  assert.equal(messageIdOf({ messageId: "abc-1" }), "abc-1");
  for (const messageId of [undefined, "", "a b", "a\nb", "é", "x".repeat(201)]) {
    assert.equal(messageIdOf({ ...(messageId === undefined ? {} : { messageId }) }), undefined);
  }
});

test("bodies that the client has read are written again", () => {
  const bytes = Buffer.from("{}");
  assert.equal(bytesOf(bytes), bytes);
  assert.equal(bytesOf("text").toString(), "text");
  assert.equal(bytesOf({ a: 1 }).toString(), '{"a":1}');
  assert.equal(bytesOf(undefined).length, 0);
});

test("a body without an id that comes again gets the id that it had; equal ones by their order", () => {
  const ids = new RedeliveredIds(10);
  const [a, b] = [Buffer.from("a"), Buffer.from("b")];
  ids.remember(a, "1");
  ids.remember(a, "2");
  ids.remember(b, "3");
  assert.equal(ids.recall(a), undefined, "not on the session that has delivered it");
  ids.beginSession();
  assert.equal(ids.recall(a), "1");
  ids.remember(a, "1");
  assert.equal(ids.recall(a), "2", "its equal, although the first is there again");
  assert.equal(ids.recall(a), undefined, "never seen so often");
  ids.beginSession();
  assert.equal(ids.recall(b), "3", "not delivered again by the session between");
  assert.equal(ids.recall(a), "1");
});

test("ids of bodies are forgotten, the oldest first", () => {
  const ids = new RedeliveredIds(2);
  for (const name of ["a", "b", "c", "d", "e"]) ids.remember(Buffer.from(name), name);
  ids.beginSession();
  const recalled = ["a", "b", "c", "d", "e"].map((name) => ids.recall(Buffer.from(name)));
  assert.deepEqual(recalled, [undefined, undefined, undefined, "d", "e"]);
});

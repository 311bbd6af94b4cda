/** What two packages say of one thing, because neither may import the other, is the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  APP_TOPICS,
  MESSAGE_TYPES as CLIENT_TYPES,
  contentFilterSchema as clientFilter,
} from "@threatbus/client/protocol";
import { contentFilterSchema as busFilter, MESSAGE_TYPES, TOPICS } from "@threatbus/core";

/** A JSON schema without what only matters to TypeScript. */
function plain(schema: object): unknown {
  return JSON.parse(JSON.stringify(schema, (key, value) => (key === "readOnly" ? undefined : value)));
}

test("a content filter of the client library is one of the bus, with the same bounds", () => {
  assert.deepEqual(plain(clientFilter.toJSONSchema()), plain(busFilter.toJSONSchema()));
});

test("message types and topics of the client library are those of the bus", () => {
  assert.deepEqual(new Set(CLIENT_TYPES), new Set(MESSAGE_TYPES));
  const { indicator, sighting, snapshotenvelope: snapshotEnvelope } = TOPICS;
  // A request for a receipt is no message: no topic of the bus.
  assert.deepEqual(APP_TOPICS, { indicator, sighting, snapshotEnvelope, receipt: "threatbus/receipt" });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { IndicatorMapper, type Outgoing } from "../src/inbound/mapper.ts";
import type { Published } from "../src/inbound/state-file.ts";
import { Loops } from "../src/loops.ts";
import { type Change, readEvent } from "../src/stream/event.ts";
import { openctiIndicator } from "./stand-in/indicators.ts";
import { OPENCTI_EXTENSION, type StixData } from "./stand-in/state.ts";

const ME = "88ec0c6a-0000-4000-8000-000000000001";
const ID = "indicator--3cb7a1f0-6b0d-5d3a-9b86-6b9b7a1c2d3e";
const OTHER = "indicator--3cb7a1f0-6b0d-5d3a-9b86-6b9b7a1c2d3f";

interface Sent {
  readonly id: string;
  readonly update: unknown;
}

/** A mapper with its memory, as the pipeline has it. */
function setUp(options: { forwardAll?: boolean; now?: number } = {}) {
  const published = new Map<string, Published>();
  const dropped: string[] = [];
  const ignored: string[] = [];
  const loops = new Loops();
  loops.ownUserId = ME;
  const mapper = new IndicatorMapper({
    forwardAll: options.forwardAll ?? false,
    loops,
    drops: { note: (reason) => dropped.push(reason) },
    published: (id) => published.get(id),
    onIgnored: (reason) => ignored.push(reason),
    now: () => options.now ?? Date.parse("2024-07-01T00:00:00Z"),
  });
  const take = (change: Change, data: StixData, more: Record<string, unknown> = {}, republish = false): Sent[] => {
    const { bodyType, ...rest } = more;
    const body = { version: "4", type: bodyType ?? change, origin: { user_id: "somebody" }, data, ...rest };
    const text = Buffer.from(JSON.stringify(body));
    const read = readEvent(change, { event: change, id: "1-0", data: text, size: text.length }, () => undefined);
    assert.ok(read.ok);
    const outgoing = mapper.map(read.event, republish);
    for (const { id, published: entry } of outgoing) {
      if (entry === undefined) published.delete(id);
      else published.set(id, entry);
    }
    return outgoing.map(({ id, message }: Outgoing) => ({ id, update: message.object.x_threatbus_update }));
  };
  return { take, published, dropped, ignored, mapper, loops };
}

const added = (id = ID) => [{ id, update: undefined }];
const edited = (id = ID) => [{ id, update: "EDIT" }];
const removed = (id = ID) => [{ id, update: "REMOVE" }];
const of = (options: Parameters<typeof openctiIndicator>[0] = {}) => openctiIndicator({ id: ID, ...options });
const later = "2024-06-11T00:00:00.000Z";

test("an indicator for detection goes to the bus as OpenCTI wrote it, its extensions and markings too", () => {
  const { mapper } = setUp();
  const bytes = Buffer.from(
    `{"id":"${ID}","type":"indicator","spec_version":"2.1","big":12345678901234567890,"extensions":{"${OPENCTI_EXTENSION}":{"extension_type":"property-extension","detection":true}},` +
      `"object_marking_refs":["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"],"created":"2024-06-10T06:13:20.000Z","modified":"2024-06-10T06:13:20.123Z",` +
      `"pattern":"[domain-name:value = 'evil.example']","pattern_type":"stix","pattern_version":"2.1","valid_from":"2024-06-10T06:13:20Z"}`,
  );
  const data = JSON.parse(bytes.toString()) as StixData;
  const [outgoing] = mapper.map({ change: "create", origin: {}, data, bytes, context: {} }, false);
  assert.equal(outgoing?.message.bytes.toString(), bytes.toString());
});

test("an update is an EDIT of what is on the bus, and plain otherwise", () => {
  const { take } = setUp();
  assert.deepEqual(take("update", of()), added());
  assert.deepEqual(take("update", of({ modified: later })), edited());
});

test("the same state again is no news", () => {
  const { take, ignored } = setUp();
  const data = of();
  assert.deepEqual(take("create", data), added());
  assert.deepEqual(take("create", data), []);
  assert.deepEqual(take("update", data), []);
  assert.deepEqual(ignored, ["nothing_new", "nothing_new"]);
});

test("what is not for detection goes nowhere, unless all are wanted", () => {
  assert.deepEqual(setUp().take("create", of({ detection: false })), []);
  assert.deepEqual(setUp({ forwardAll: true }).take("create", of({ detection: false })), added());
});

test("detection may be a text, and is looked for in OpenCTI's extension", () => {
  assert.deepEqual(setUp().take("create", of({ detection: "True" })), added());
  assert.deepEqual(setUp().take("create", of({ detection: "false" })), []);
  const elsewhere = of({ detection: false, members: { detection: true, x_opencti_detection: true } });
  assert.deepEqual(setUp().take("create", elsewhere), []);
});

for (const [what, members] of Object.entries({
  "detection turned off": of({ detection: false, modified: later }),
  revocation: of({ modified: later, members: { revoked: true } }),
  "an end of validity that has passed": of({ modified: later, members: { valid_until: "2024-06-30T00:00:00.000Z" } }),
})) {
  test(`${what} takes it off the bus, once, and only if it was there`, () => {
    const { take } = setUp();
    assert.deepEqual(take("update", members), []);
    assert.deepEqual(take("create", of()), added());
    assert.deepEqual(take("update", members), removed());
    assert.deepEqual(take("update", members), []);
  });
}

test("deleting takes it off the bus only if it was there", () => {
  const { take } = setUp();
  assert.deepEqual(take("delete", of()), []);
  take("create", of());
  assert.deepEqual(take("delete", of()), removed());
  assert.deepEqual(take("delete", of()), []);
});

test("deleting works whatever the detection flag says by then", () => {
  const { take } = setUp({ forwardAll: true });
  take("create", of({ detection: false }));
  assert.deepEqual(take("delete", of({ detection: false })), removed());
});

test("the name of the frame says what happened, not the type in it: an update may leave or enter a stream", () => {
  const { take } = setUp();
  assert.deepEqual(take("create", of(), { bodyType: "update" }), added());
  assert.deepEqual(take("delete", of(), { bodyType: "update" }), removed());
});

test("objects of other types are left alone, deleted ones too", () => {
  const { take, ignored, dropped } = setUp();
  for (const change of ["create", "update", "delete", "merge"] as const) {
    assert.deepEqual(take(change, { id: "malware--3cb7a1f0-6b0d-5d3a-9b86-6b9b7a1c2d3e", type: "malware" }), []);
  }
  assert.deepEqual(ignored, Array(4).fill("not_an_indicator"));
  assert.deepEqual(dropped, []);
});

test("what is no valid indicator is counted", () => {
  const { take, dropped } = setUp();
  assert.deepEqual(take("create", of({ id: "indicator--1" })), []);
  assert.deepEqual(take("create", of({ members: { valid_from: "yesterday" } })), []);
  assert.deepEqual(take("create", of({ members: { pattern: "[domain-name:value = ]" } })), []);
  assert.deepEqual(dropped, ["invalid_stix", "invalid_stix", "invalid_stix"]);
});

test("a merge takes its sources off the bus, those that were there, and adds its target", () => {
  const { take } = setUp();
  take("create", of({ id: OTHER, value: "other.example" }));
  const sources = [of({ id: OTHER, value: "other.example" }), of({ id: OTHER.replace(/f$/, "0") }), "nonsense", 7];
  assert.deepEqual(take("merge", of(), { context: { sources } }), [...removed(OTHER), ...added()]);
});

test("an edited pattern gives another id: the former one is taken off the bus", () => {
  const { take, published } = setUp();
  take("create", of());
  const reverse_patch = [
    { op: "replace", path: "/id", value: ID },
    { op: "replace", path: "/pattern", value: "[domain-name:value = 'evil.example']" },
  ];
  const data = of({ id: OTHER, value: "worse.example", modified: later });
  assert.deepEqual(take("update", data, { context: { reverse_patch } }), [...removed(), ...added(OTHER)]);
  assert.deepEqual([...published.keys()], [OTHER]);
});

test("what this connector wrote is not told again", () => {
  const { take, ignored } = setUp();
  assert.deepEqual(take("create", of(), { origin: { user_id: ME } }), []);
  assert.deepEqual(take("create", of({ creators: [ME] }), { origin: { referer: "init" } }), []);
  assert.deepEqual(ignored, ["own_change", "own_change"]);
  assert.deepEqual(take("update", of({ creators: [ME] })), added(), "somebody else has changed it");
  const shared = of({ id: OTHER, creators: [ME, "another"] });
  assert.deepEqual(take("create", shared, { origin: { referer: "init", user_id: ME } }), added(OTHER));
});

test("a replay tells what was changed meanwhile, and again what is asked for again", () => {
  const { take } = setUp();
  const init = { origin: { referer: "init" } };
  assert.deepEqual(take("create", of(), init), added());
  assert.deepEqual(take("create", of(), init), [], "the text differs, the state does not");
  assert.deepEqual(take("create", of({ modified: later }), init), edited());
  assert.deepEqual(take("create", of({ modified: later }), init, true), added());
  assert.deepEqual(take("create", of({ detection: false }), init), removed());
});

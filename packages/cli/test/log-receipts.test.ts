/** Who got a message, as `threatbus log get` and `find` say it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Store } from "@threatbus/store";
import { type Receipt, receiptJson, receiptLines, wantedBy } from "../src/commands/log/receipts.ts";
import { GOOD } from "./command.ts";
import { entry, makeLog, SIGHTING, START } from "./log-files.ts";

const RECEIPT: Receipt = {
  plugin: "zmq",
  name: "zeek-1",
  topics: ["stix2/indicator"],
  filter: undefined,
  start: 0,
  openedAt: START,
  closedAt: undefined,
  handedBy: START + 1_000,
  lostBetween: 0,
};

test("a receipt counts where the topics cover the record and the filter lets it through", async (t) => {
  const path = await makeLog(t, [entry(GOOD), entry(SIGHTING)]);
  const store = await Store.open({ path, readOnly: true });
  t.after(() => store.close());
  const [indicator, sighting] = (await store.read()).records;
  assert.ok(indicator !== undefined && sighting !== undefined);
  const receipts = [
    { ...RECEIPT, name: "indicators" },
    { ...RECEIPT, name: "all", topics: ["stix2"] },
    { ...RECEIPT, name: "sightings", topics: ["stix2/sighting"] },
    { ...RECEIPT, name: "addresses", filter: { object_paths: ["ipv4-addr:value"] } },
    { ...RECEIPT, name: "domains", topics: ["stix2"], filter: { object_paths: ["domain-name:value"] } },
  ];
  const names = (list: readonly Receipt[]) => list.map(({ name }) => name);
  assert.deepEqual(names(wantedBy(indicator, receipts)), ["indicators", "all", "addresses"]);
  // Filters are about indicators: sightings pass.
  assert.deepEqual(names(wantedBy(sighting, receipts)), ["all", "sightings", "domains"]);
});

test("it is said to how many it was delivered, and what happened to each", () => {
  const receipts = [
    RECEIPT,
    { ...RECEIPT, name: "slow", handedBy: undefined },
    { ...RECEIPT, name: "gone", handedBy: undefined, closedAt: START + 2_000 },
    { ...RECEIPT, name: "lossy", lostBetween: 3 },
  ];
  const { summary, rows } = receiptLines(receipts);
  assert.equal(summary, "to 1 of 4");
  assert.deepEqual(rows, [
    ["zmq", "zeek-1", "by 2026-03-04T05:06:08.000Z"],
    ["zmq", "slow", "still open, but not there yet"],
    ["zmq", "gone", "not delivered: ended at 2026-03-04T05:06:09.000Z before it got there"],
    ["zmq", "lossy", "perhaps lost: 3 messages were lost before 2026-03-04T05:06:08.000Z"],
  ]);
  assert.deepEqual(
    receipts.map((each) => Reflect.get(receiptJson(each), "outcome")),
    ["delivered", "pending", "ended", "perhaps lost"],
  );
  assert.match(receiptLines([]).summary, /^to nobody/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Peer } from "@threatbus/zmtp";
import { Attachments } from "../src/attachments.ts";

const TOPIC = "abcdefghijklmnopqrstuvwxyzabcdef";
const APP: Peer = { id: 1, remote: "127.0.0.1:1" };
const OTHER: Peer = { id: 2, remote: "127.0.0.1:2" };

/** One subscription and the prefixes that connections have. */
function setUp() {
  const prefixes = new Set<string>();
  const events: string[] = [];
  const attachments = new Attachments((topic) => [...prefixes].some((prefix) => topic.startsWith(prefix)));
  const item = {
    topic: TOPIC,
    attached: () => void events.push("attached"),
    detached: () => void events.push("detached"),
  };
  return {
    attachments,
    item,
    events,
    subscribe(prefix: string, peer: Peer) {
      prefixes.add(prefix);
      attachments.onSubscribe(Buffer.from(prefix), peer);
    },
    unsubscribe(prefix: string) {
      prefixes.delete(prefix);
      attachments.onUnsubscribe(Buffer.from(prefix));
    },
  };
}

test("the whole topic attaches and detaches", () => {
  const { attachments, item, events, subscribe, unsubscribe } = setUp();
  attachments.add(item);
  subscribe(TOPIC, APP);
  assert.equal(attachments.servedBy(APP), item);
  unsubscribe(TOPIC);
  assert.deepEqual(events, ["attached", "detached"]);
});

test("a new connection of the same app counts before the old one is given up", () => {
  const { attachments, item, events, subscribe, unsubscribe } = setUp();
  attachments.add(item);
  subscribe(TOPIC, APP);
  subscribe(TOPIC, OTHER);
  unsubscribe(TOPIC);
  assert.deepEqual(events, ["attached"]);
});

test("a shorter prefix attaches too, and its end detaches", async () => {
  const { attachments, item, events, subscribe, unsubscribe } = setUp();
  attachments.add(item);
  subscribe(TOPIC.slice(0, 10), APP);
  await nextTurn();
  assert.deepEqual(events, ["attached"]);
  unsubscribe(TOPIC.slice(0, 10));
  await nextTurn();
  assert.deepEqual(events, ["attached", "detached"]);
});

test("a listener to everything that was there before does not release messages early", async () => {
  const { attachments, item, events, subscribe } = setUp();
  subscribe("", OTHER);
  await nextTurn();
  attachments.add(item);
  await nextTurn();
  assert.deepEqual(events, []);
  subscribe(TOPIC, APP);
  assert.deepEqual(events, ["attached"]);
});

test("a listener to everything does not keep a dead app alive", async () => {
  const { attachments, item, events, subscribe, unsubscribe } = setUp();
  attachments.add(item);
  subscribe(TOPIC, APP);
  subscribe("", OTHER);
  await nextTurn();
  unsubscribe(TOPIC);
  assert.deepEqual(events, ["attached", "detached"]);
});

test("prefixes of other topics, and longer ones, mean nothing", async () => {
  const { attachments, item, events, subscribe, unsubscribe } = setUp();
  attachments.add(item);
  subscribe("zzz", APP);
  subscribe(`${TOPIC}indicator`, APP);
  subscribe(TOPIC.toUpperCase(), APP);
  unsubscribe(TOPIC);
  await nextTurn();
  assert.deepEqual(events, []);
});

test("a subscription that was deleted hears nothing more", async () => {
  const { attachments, item, events, subscribe } = setUp();
  attachments.add(item);
  subscribe("abc", APP);
  attachments.delete(item);
  subscribe(TOPIC, APP);
  await nextTurn();
  assert.deepEqual(events, []);
});

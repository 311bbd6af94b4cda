import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createMetrics, type Outq, type OutqOptions } from "@threatbus/core";
import type { SendResult, TopicSender } from "@threatbus/zmtp";
import { Outbound } from "../src/outbound.ts";
import { TurnBudget } from "../src/turn-budget.ts";
import { FakeClock } from "./fake-clock.ts";
import { LoggedOutq, START } from "./logged-outq.ts";
import { newOutq } from "./outq.ts";
import { indicatorJson, sightingJson, stixMessage } from "./samples.ts";
import { supervision } from "./supervision.ts";
import { until } from "./wait.ts";

const TOPIC = "abcdefghijklmnopqrstuvwxyzabcdef";

/** A sender that answers as it is told, and keeps what it took. */
class FakeSender implements TopicSender {
  readonly topic = TOPIC;
  readonly connections = 1;
  readonly sent: string[] = [];
  /** How often it was asked to end connections that take nothing. */
  stalls = 0;
  answer: SendResult = "sent";
  /** Hears of each message that was taken. */
  onSent: () => void = () => {};
  #room = Promise.withResolvers<void>();

  send(...parts: readonly Uint8Array[]): SendResult {
    const { answer } = this;
    if (answer !== "sent") return answer;
    this.sent.push(Buffer.concat(parts).toString());
    this.onSent();
    return answer;
  }
  writable(): Promise<void> {
    return this.#room.promise;
  }
  dropStalled(): number {
    this.stalls += 1;
    return 0;
  }
  async flushed(): Promise<void> {}
  close(): void {}

  makeRoom(): void {
    this.answer = "sent";
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }
}

function setUp(t: TestContext, budget = new TurnBudget(), options: Partial<OutqOptions> = {}) {
  return withQueue(t, newOutq({ name: "app", ...options }, createMetrics()), budget);
}

function withQueue<Queue extends Outq>(t: TestContext, outq: Queue, budget = new TurnBudget(), positions = false) {
  const sender = new FakeSender();
  const unreachable: number[] = [];
  const onUnreachable = () => void unreachable.push(sender.sent.length);
  const clock = new FakeClock();
  const parts = { name: "app", outq, sender, budget, onUnreachable, supervision: supervision(), clock, positions };
  const outbound = new Outbound(parts);
  t.after(async () => {
    outbound.stop();
    await outbound.join();
  });
  outbound.start();
  return { outq, sender, outbound, unreachable, clock };
}

test("a message stays until the connection takes it, and the order is kept", async (t) => {
  const { outq, sender, outbound } = setUp(t);
  const messages = [indicatorJson(), sightingJson(), indicatorJson()].map(stixMessage);
  sender.answer = "full";
  outbound.open();
  for (const message of messages) outq.offer(message);
  await until("messages in hand", () => outbound.unsent > 0);
  assert.deepEqual(sender.sent, []);
  sender.makeRoom();
  await until("all messages", () => sender.sent.length === 3);
  assert.deepEqual(
    sender.sent,
    messages.map(({ type, bytes }) => `${TOPIC}${type} ${bytes}`),
  );
  assert.equal(outbound.unsent, 0);
});

test("while the app takes nothing, connections that stall are given up every ten seconds, and the timer ends", async (t) => {
  const { outq, sender, outbound, clock } = setUp(t);
  sender.answer = "full";
  outbound.open();
  outq.offer(stixMessage(indicatorJson()));
  await until("the wait for room", () => clock.running === 1);
  clock.advance(9_999);
  assert.equal(sender.stalls, 0);
  clock.advance(1);
  clock.advance(10_000);
  assert.equal(sender.stalls, 2);
  sender.makeRoom();
  await until("the message", () => sender.sent.length === 1);
  assert.equal(clock.running, 0);
});

const position = (number: number) => `${TOPIC}position {"position":${number}}`;

test("a position that the connection does not take goes out when there is room, without another message", async (t) => {
  const outq = new LoggedOutq({ name: "app" });
  const { sender, outbound, clock } = withQueue(t, outq, new TurnBudget(), true);
  const message = stixMessage(indicatorJson());
  outbound.open();
  await until("the first position", () => sender.sent.length === 1);
  // The message is taken, and fills the connection.
  sender.onSent = () => {
    sender.answer = "full";
  };
  outq.offer(message);
  await until("the wait for room", () => clock.running === 1);
  assert.deepEqual(sender.sent, [position(START), `${TOPIC}indicator ${message.bytes}`]);
  assert.equal(outbound.unsent, 0, "a position is no message");
  sender.onSent = () => {};
  sender.makeRoom();
  await until("the position", () => sender.sent.length === 3);
  assert.equal(sender.sent[2], position(START + 1));
});

test("a position that finds nobody is told to the app when it is back", async (t) => {
  const outq = new LoggedOutq({ name: "app" });
  const { sender, outbound, unreachable } = withQueue(t, outq, new TurnBudget(), true);
  sender.answer = "unsubscribed";
  outbound.open();
  await until("the report", () => unreachable.length === 1);
  sender.answer = "sent";
  outbound.open();
  await until("the position", () => sender.sent.length === 1);
  assert.deepEqual(sender.sent, [position(START)]);
});

test("a send that finds nobody is reported, and the message waits for the app", async (t) => {
  const { outq, sender, outbound, unreachable } = setUp(t);
  sender.answer = "unsubscribed";
  outbound.open();
  outq.offer(stixMessage(indicatorJson()));
  await until("the report", () => unreachable.length === 1);
  sender.answer = "sent";
  outbound.open();
  await until("the message", () => sender.sent.length === 1);
});

test("a burst to many apps leaves the event loop its turns", async (t) => {
  const budget = new TurnBudget();
  const apps = Array.from({ length: 500 }, () => setUp(t, budget));
  const message = stixMessage(indicatorJson());
  for (const { outq, outbound } of apps) {
    outbound.open();
    for (let count = 0; count < 200; count += 1) outq.offer({ ...message, id: `${count}` });
  }
  let turns = 0;
  const done = () => apps.every(({ sender }) => sender.sent.length === 200);
  while (!done()) {
    await new Promise((resolve) => setImmediate(resolve));
    turns += 1;
  }
  // 100,000 sends, at most 8,000 a turn and one batch of each worker that was under way.
  assert.ok(turns >= 8, `${turns} turns`);
});

test("a receipt for which there is no room is told when there is, although no message comes", async (t) => {
  const { sender, outbound } = setUp(t);
  outbound.open();
  // Idle, as it is between messages.
  await new Promise((resolve) => setImmediate(resolve));
  sender.answer = "full";
  outbound.accepted(4);
  outbound.accepted(5);
  assert.deepEqual(sender.sent, []);
  sender.makeRoom();
  await until("the receipt", () => sender.sent.length === 1);
  assert.deepEqual(sender.sent, [`${TOPIC}receipt {"number":5}`]);
});

test("a receipt waits behind the messages in hand, and for an app that is not there", async (t) => {
  const { outq, sender, outbound } = setUp(t);
  sender.answer = "unsubscribed";
  outbound.open();
  outq.offer(stixMessage(indicatorJson()));
  await until("a message in hand", () => outbound.unsent > 0);
  outbound.accepted(1);
  assert.deepEqual(sender.sent, []);
  sender.answer = "sent";
  outbound.open();
  await until("both", () => sender.sent.length === 2);
  assert.match(sender.sent[0] ?? "", /indicator /);
  assert.equal(sender.sent[1], `${TOPIC}receipt {"number":1}`);
});

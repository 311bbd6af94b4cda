/** Publishing with receipts while whatever can break does, at random: what is confirmed was received. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Client } from "../src/index.ts";
import { FakeBus } from "./fake-bus.ts";
import { client, TIMEOUT } from "./fast-client.ts";
import { indicator } from "./objects.ts";
import { random } from "./random.ts";

const PUBLISHERS = 3;
/** Calls of each publisher, one after the other. */
const CALLS = 60;

type Dice = ReturnType<typeof random>;

/** One bus after another on the same ports, and what any of them has received. */
class Buses {
  #bus: FakeBus;
  readonly #t: TestContext;
  readonly #before: string[] = [];

  constructor(t: TestContext, bus: FakeBus) {
    this.#t = t;
    this.#bus = bus;
  }

  get bus(): FakeBus {
    return this.#bus;
  }

  /** Frames in the order in which they came. */
  get received(): readonly string[] {
    return [...this.#before, ...this.#bus.received];
  }

  /** Of what is under way nothing is read. */
  async restart(): Promise<void> {
    const after = this.#bus;
    await after.stop();
    this.#before.push(...after.received);
    this.#bus = await FakeBus.start(this.#t, { after });
    this.#bus.receipts = true;
  }

  /** Something that happens to a bus. The last one is what a bus that is well does. */
  async disturb(dice: Dice): Promise<void> {
    const { bus } = this;
    const event = dice(12);
    if (event < 2) bus.givingReceipts = false;
    else if (event < 3) bus.reading = false;
    else if (event < 5) await this.#breakAppConnections();
    else if (event < 7) await bus.breakConnections();
    else if (event < 8) for (const { p2pTopic } of bus.subscriptions.values()) bus.forget(p2pTopic);
    else if (event < 9) await this.restart();
    else this.recover();
  }

  /** Reads everything, and tells what it has not told. */
  recover(): void {
    const { bus } = this;
    bus.reading = true;
    bus.givingReceipts = true;
    const asked = bus.receiptRequests.at(-1);
    // Late, and perhaps to a subscription that has a successor.
    if (asked !== undefined && bus.subscriptions.has(asked.topic)) bus.giveReceipt();
    bus.touch();
  }

  async #breakAppConnections(): Promise<void> {
    const broken = this.#bus.breakAppConnections();
    // What it had not read by now is lost.
    this.#bus.reading = true;
    this.#bus.touch();
    await broken;
  }
}

/** Publishes batch after batch. @returns the ids, in the order in which they were published first */
async function publish(app: Client, buses: Buses, number: number, dice: Dice): Promise<string[]> {
  const all: string[] = [];
  for (let call = 0; call < CALLS; call += 1) {
    const batch = Array.from({ length: 1 + dice(8) }, (_, index) => indicator(number * 10_000 + all.length + index));
    const ids = batch.map(({ id }) => id);
    all.push(...ids);
    assert.equal(await app.publishAccepted(batch), batch.length);
    const received = new Set(buses.received.map(idOf));
    for (const id of ids) assert.ok(received.has(id), `${id} was confirmed and not received (call ${call})`);
  }
  return all;
}

let repeated = 0;
for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`whatever breaks, what is confirmed was received, first in order (seed ${seed})`, TIMEOUT, async (t) => {
    const dice = random(seed);
    const first = await FakeBus.start(t);
    first.receipts = true;
    const buses = new Buses(t, first);
    const app = client(t, first);
    let done = false;
    const publishing = Promise.all(
      Array.from({ length: PUBLISHERS }, (_, number) => publish(app, buses, number, random(seed * 100 + number))),
    ).finally(() => (done = true));
    publishing.catch(() => {});
    let disturbed = 0;
    while (!done) {
      for (let turn = dice(20); turn >= 0; turn -= 1) await new Promise((resolve) => setImmediate(resolve));
      disturbed += 1;
      // Now and then all is well for long enough that something gets through.
      if (dice(4) > 0) await buses.disturb(dice);
      else buses.recover();
    }
    const published = await publishing;
    const received = [...new Set(buses.received.map(idOf))];
    for (const ids of published) {
      const own = new Set(ids);
      assert.deepEqual(
        received.filter((id) => own.has(id)),
        ids,
      );
    }
    assert.ok(disturbed > 10);
    repeated += buses.received.length - received.length;
  });
}

test("some came twice in all that: connections broke where it matters", () => assert.ok(repeated > 0));

function idOf(frame: string): string {
  return JSON.parse(frame.slice(frame.indexOf(" ") + 1)).id;
}

/** Several backbones at once: the way from one broker to another, and from none to one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, MemoryBroker } from "@threatbus/testkit";
import { folder, idsOf, logged, numbered, read, startInstance, type Way } from "./support.ts";

/** Positions in the order in which messages came. */
function positionsOf(messages: readonly object[]): number[] {
  return messages.map((message) => ("position" in message && Number(message.position)) || 0);
}

const WAYS: Readonly<Record<string, () => Way[]>> = {
  "two brokers": () => [new MemoryBroker(), new MemoryBroker()],
  "inside the process and a broker": () => ["inmem", new MemoryBroker()],
};

for (const [name, make] of Object.entries(WAYS)) {
  test(`${name}: each subscriber gets each message once, in the order of positions, and the log has it once`, async (t) => {
    const ways = make();
    const [old] = ways;
    const brokers = ways.filter((way) => way !== "inmem");
    for (const { faults } of brokers) faults.redeliver = true;
    const first = await startInstance(t, { name: "first", ways });
    // It has not moved yet, or has moved already.
    const second = await startInstance(t, {
      name: "second",
      ways: [old === "inmem" ? (brokers[0] ?? old) : (old ?? "inmem")],
    });
    const received = read(t, await first.subscribe());
    const elsewhere = read(t, await second.subscribe());
    const published = [numbered(first, 0, 2_000), numbered(second, 10_000, 2_000)];
    await Promise.all([first, second].map(({ context }, index) => context.inq.putMany(published[index] ?? [])));
    await eventually("all of them", () => received.length >= 4_000 && elsewhere.length >= 4_000);
    assert.equal((await first.stop()).waiting, 0);
    assert.deepEqual([received.length, elsewhere.length], [4_000, 4_000]);
    const positions = positionsOf(received);
    assert.deepEqual(
      positions,
      positions.toSorted((a, b) => a - b),
    );
    for (const messages of published) {
      const own = new Set(idsOf(messages));
      assert.deepEqual(
        idsOf(received).filter((id) => own.has(id)),
        idsOf(messages),
      );
    }
  });
}

test("what one of two brokers has not confirmed waits for the next start, and comes to no subscriber twice", async (t) => {
  const [one, two] = [new MemoryBroker(), new MemoryBroker()];
  await two.bind("elsewhere");
  await two.kill();
  const home = folder(t);
  const before = await startInstance(t, { ways: [one, two], folder: home, drainTimeout: 20 });
  const queue = await before.subscribe();
  const had = read(t, queue);
  const messages = numbered(before, 1, 200);
  await before.context.inq.putMany(messages);
  await eventually("all of them, over the other one", () => had.length >= 200);
  const position = queue.handedTo ?? 0;
  assert.equal((await before.stop()).waiting, 200);
  await two.restart();
  const again = await startInstance(t, { ways: [one, two], folder: home });
  const received = read(t, await again.subscribe({ kind: "position", position }));
  await eventually("the second broker to have them", () => two.published.length >= 200);
  const more = numbered(again, 1_000, 3);
  await again.context.inq.putMany(more);
  await eventually("the next ones", () => received.length >= 3);
  assert.deepEqual(idsOf(received), idsOf(more));
  assert.deepEqual(await logged(again.store), idsOf([...messages, ...more]));
  assert.equal((await again.stop()).waiting, 0);
});

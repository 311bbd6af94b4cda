/** A REMOVE on its way to the broker. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, indicator, MemoryBroker } from "@threatbus/testkit";
import { folder, read, startInstance } from "./support.ts";

test("a REMOVE that the broker has not confirmed is in the outbox before withdrawals count it as done", async (t) => {
  const broker = new MemoryBroker();
  const home = folder(t);
  const before = await startInstance(t, { ways: [broker], folder: home, drainTimeout: 20 });
  const had = read(t, await before.subscribe());
  const revoked = before.context.messages.stix(indicator({ members: { revoked: true } }));
  broker.faults.holdConfirms = true;
  await before.context.inq.put(revoked);
  await eventually("the indicator", () => had.length === 1);
  await eventually("its REMOVE in the outbox", async () => (await before.store?.outbox.size()) === 2);
  const position = before.store?.last ?? 0;
  assert.equal((await before.stop()).waiting, 2);

  broker.releaseConfirms();
  const again = await startInstance(t, { ways: [broker], folder: home });
  assert.ok((again.store?.cursor("withdrawals") ?? 0) > 0, "withdrawals have got past the indicator");
  const received = read(t, await again.subscribe({ kind: "position", position }));
  await eventually("the REMOVE", () => received.length > 0);
  await again.context.inq.put(again.context.messages.stix(indicator({ members: { x_last: true } })));
  await eventually("what came behind it", () => received.length > 1);
  assert.equal(received.length, 2);
  assert.match(`${received[0]?.bytes}`, /"x_threatbus_update": ?"REMOVE"/);
});

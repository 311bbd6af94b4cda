/** A REMOVE that waits for room in the inq, and a later state of its indicator that is before it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import type { Message } from "../../src/contracts/message.ts";
import { CountedInq } from "../../src/flow/counted-inq.ts";
import { InqEntrance } from "../../src/flow/inq-entrance.ts";
import { JoinableQueue } from "../../src/flow/joinable-queue.ts";
import { LogWriter } from "../../src/flow/log-writer.ts";
import { createMessageFactory } from "../../src/flow/message-factory.ts";
import { Withdrawals } from "../../src/withdrawals/withdrawals.ts";
import { SlowLog } from "../flow/slow-log.ts";
import { indicator, settle } from "../messages.ts";
import { recordingLogger } from "../observe-fixtures.ts";
import { indicatorId } from "./fixtures.ts";

const OVER = "2022-01-01T00:00:00Z";

test("an indicator whose validity was extended is not withdrawn, although its REMOVE was on the way", async (t) => {
  const log = new SlowLog();
  const queue = new JoinableQueue<Message>(3);
  let withdrawals: Withdrawals | undefined;
  const entrance = new InqEntrance(queue, (messages) => withdrawals?.observe(messages));
  const writer = new LogWriter({ log, deduplicate: false, onDrop: () => undefined });
  entrance.use({ enter: (messages) => writer.enter(messages), settled: () => log.settled() });
  const inq = new CountedInq(entrance, () => undefined);
  const { logger } = recordingLogger();
  const messages = createMessageFactory("threatbus");
  await inq.putMany([1, 2, 3].map((order) => indicator({ id: indicatorId(order), x_order: order, valid_until: OVER })));
  // The inq is full: this waits for room, and the REMOVEs behind it.
  const extended = { id: indicatorId(1), x_order: 10, modified: "2025-01-01T00:00:00Z" };
  const extending = inq.put(indicator({ ...extended, valid_until: "2099-01-01T00:00:00Z" }));
  const worker = new Withdrawals({ log, inq, messages, logger, metrics: new Registry() });
  t.after(async () => {
    worker.stop();
    await worker.join();
  });
  withdrawals = worker;
  worker.start();
  for (let turn = 0; turn < 20; turn += 1) await settle();
  const out: unknown[] = [];
  while (out.length < 6) {
    for (const { bytes } of await queue.getMany(1)) {
      const object = JSON.parse(bytes.toString()) as Record<string, unknown>;
      out.push([object.x_order, object.x_threatbus_update]);
    }
    await settle();
  }
  await extending;
  const removed = (order: number) => [order, "REMOVE"];
  assert.deepEqual(out, [[1, undefined], [2, undefined], [3, undefined], [10, undefined], removed(2), removed(3)]);
  assert.equal(queue.size, 0);
});

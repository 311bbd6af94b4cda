import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "../../src/contracts/message.ts";
import { Arrivals } from "../../src/flow/arrivals.ts";
import { JoinableQueue } from "../../src/flow/joinable-queue.ts";
import { RecentIds } from "../../src/flow/recent-ids.ts";
import { factory, indicator, settle } from "../messages.ts";

const { stix } = indicator();
const message = (id: string): Message => factory.stix(stix, id);
const repeated: (readonly [backbone: string, count: number])[] = [];
const idsOf = (messages: readonly Message[]): string[] => messages.map(({ id }) => id);

function arrivals(enter: (ids: readonly string[]) => Promise<void> = async () => undefined): Arrivals {
  return new Arrivals(
    async (_, messages) => enter(idsOf(messages)),
    (...left) => repeated.push(left),
    new RecentIds(64),
  );
}

test("each message comes in once, from whatever backbone and within one batch", async () => {
  const entered: string[] = [];
  const arriving = arrivals(async (ids) => void entered.push(...ids));
  assert.deepEqual(idsOf(await arriving.accept("a", ["1", "2", "2"].map(message))), ["1", "2"]);
  assert.deepEqual(idsOf(await arriving.accept("b", ["2", "3", "1"].map(message))), ["3"]);
  assert.deepEqual(await arriving.accept("a", [message("3")]), []);
  assert.deepEqual(repeated.splice(0), [
    ["a", 1],
    ["b", 2],
    ["a", 1],
  ]);
  assert.deepEqual(entered, ["1", "2", "2", "3"], "the log is not asked about what has come before");
});

test("one is known when the log has it: until then its second copy waits as well, and then goes nowhere", async () => {
  const log = Promise.withResolvers<void>();
  const arriving = arrivals(() => log.promise);
  const copies = ["a", "b"].map((backbone) => arriving.accept(backbone, [message("1")]));
  let answered = 0;
  for (const copy of copies) void copy.then(() => (answered += 1));
  await settle();
  assert.equal(answered, 0);
  log.resolve();
  assert.deepEqual((await Promise.all(copies)).map(idsOf), [["1"], []]);
});

test("what the log did not take may come again", async () => {
  let fails = true;
  const arriving = arrivals(async () => {
    if (fails) throw new Error("closed");
  });
  await assert.rejects(arriving.accept("a", [message("1")]), { message: "closed" });
  fails = false;
  assert.deepEqual(idsOf(await arriving.accept("a", [message("1")])), ["1"]);
});

test("a backbone inside this process gets what no other one has brought, and answers for all", async () => {
  const arriving = arrivals();
  const inq = new JoinableQueue<Message>(100);
  const source = arriving.from("inmem", inq);
  await arriving.accept("broker", ["1", "3", "5"].map(message));
  await inq.putMany(["1", "2", "3"].map(message));
  assert.deepEqual(idsOf(await source.getMany(10)), ["2"]);
  assert.equal(inq.unfinished, 3, "those before it are not answered for earlier than it is");
  source.taskDone();
  assert.equal(inq.unfinished, 0);
  const next = source.get();
  await inq.put(message("5"));
  await settle();
  assert.equal(inq.unfinished, 0, "what it does not get needs no answer of it");
  await inq.put(message("6"));
  assert.equal((await next).id, "6");
});

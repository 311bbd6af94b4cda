import assert from "node:assert/strict";
import { test } from "node:test";
import { LogWriter } from "../../src/flow/log-writer.ts";
import { factory, indicator, settle } from "../messages.ts";
import { SlowLog } from "./slow-log.ts";

/** A log that lags behind: an append waits until it is let go. */
class LaggingLog extends SlowLog {
  readonly room = Promise.withResolvers<void>();

  override async append(messages: Parameters<SlowLog["append"]>[0]) {
    await this.room.promise;
    return super.append(messages);
  }
}

test("a message that two backbones bring at the same time is entered once", async () => {
  const log = new LaggingLog();
  const writer = new LogWriter({ log, deduplicate: true, onDrop: () => undefined });
  const { stix } = indicator();
  const copies = [factory.stix(stix, "one"), factory.stix(stix, "one"), factory.stix(stix, "one")] as const;
  const entering = [writer.enter([copies[0], copies[1]]), writer.enter([copies[2]])];
  await settle();
  log.room.resolve();
  const entered = (await Promise.all(entering)).map((each) => each.entered.length);
  assert.deepEqual(entered, [1, 0]);
  assert.equal(log.last, 1);
  assert.deepEqual(
    copies.map(({ position }) => position),
    [1, 1, 1],
  );
});

test("an append that fails keeps nobody else from entering", async () => {
  const log = new SlowLog();
  const writer = new LogWriter({ log, deduplicate: true, onDrop: () => undefined });
  const append = log.append.bind(log);
  log.append = async () => {
    throw new Error("closed");
  };
  await assert.rejects(writer.enter([indicator()]), { message: "closed" });
  log.append = append;
  assert.equal((await writer.enter([indicator()])).last, 1);
});

test("what the last process entered is known for good, however much comes before it comes again", async () => {
  const log = new SlowLog();
  const writer = new LogWriter({ log, deduplicate: true, onDrop: () => undefined });
  writer.recall([{ messageId: "old", position: 7 }]);
  const { stix } = indicator();
  for (let part = 0; part < 12; part += 1) {
    const messages = Array.from({ length: 1_000 }, (_, index) => factory.stix(stix, `${part}-${index}`));
    await writer.enter(messages);
  }
  const again = factory.stix(stix, "old");
  assert.deepEqual((await writer.enter([again])).entered, []);
  assert.equal(again.position, 7);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Cursors } from "../../src/withdrawals/cursors.ts";
import { DueList } from "../../src/withdrawals/due-list.ts";
import { Ends } from "../../src/withdrawals/ends.ts";
import { LogAccess } from "../../src/withdrawals/log-access.ts";
import { MemoryLog } from "../memory-log.ts";
import { indicator } from "../messages.ts";
import { recordingLogger } from "../observe-fixtures.ts";

test("the list of due ones is bounded in messages and in bytes, and an empty one takes any", () => {
  const message = indicator();
  const { length } = message.bytes;
  const few = new DueList(3, Number.POSITIVE_INFINITY);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => few.add(message)),
    [true, true, true, false],
  );
  few.remove(2);
  assert.deepEqual([few.size, few.first(10).length, few.add(message)], [1, 1, true]);
  const small = new DueList(10, length * 2.5);
  assert.deepEqual(
    [1, 2, 3].map(() => small.add(message)),
    [true, true, false],
  );
  small.remove(2);
  assert.deepEqual([small.size, small.add(message)], [0, true]);
  assert.equal(new DueList(10, 1).add(message), true);
});

test("the lowest position of the list leaves out what the log does not have", () => {
  const list = new DueList(10, Number.POSITIVE_INFINITY);
  assert.equal(list.position, undefined);
  for (const position of [undefined, 7, 8]) list.add(Object.assign(indicator(), { position }));
  assert.equal(list.position, 7);
});

test("looks at the ends: at once, then at the next end, not twice in a second, and at least once a minute", () => {
  const ends = new Ends(0);
  const start = 1_000_000;
  assert.equal(ends.isDue(start), true);
  assert.deepEqual(ends.begin(start), { after: 0, until: start + 60_000 });
  ends.done();
  assert.deepEqual([ends.handled, ends.wait(start)], [start, 60_000]);
  assert.deepEqual([ends.expect(start + 5_000), ends.expect(start + 6_000)], [true, false]);
  assert.deepEqual(
    [ends.wait(start + 1_000), ends.isDue(start + 4_999), ends.isDue(start + 5_000)],
    [4_000, false, true],
  );
  ends.expect(start + 1);
  assert.deepEqual([ends.isDue(start + 999), ends.isDue(start + 1_000)], [false, true]);
});

test("a look that failed is made again within a minute, over the same span and more", () => {
  const ends = new Ends(5);
  ends.begin(1_000_000);
  assert.equal(ends.isDue(1_059_999), false);
  assert.equal(ends.isDue(1_060_000), true);
  assert.deepEqual(ends.begin(1_060_000), { after: 5, until: 1_120_000 });
});

test("a clock that is set back during a look does not make later ends past ones", () => {
  const ends = new Ends(0);
  ends.begin(1_000_000);
  assert.equal(ends.isOver(600_000, 500_000), false);
  ends.done();
  assert.equal(ends.handled, 500_000);
  assert.equal(ends.isDue(501_000), true);
});

test("cursors are saved at most once a second, the time only when something ended, and all at the end", () => {
  const log = new MemoryLog();
  const cursors = new Cursors(new LogAccess(log, recordingLogger().logger));
  const at = (): readonly number[] => [log.cursor("withdrawals"), log.cursor("expired")];
  const hour = 3_600_000;
  cursors.save(1, hour, hour, "idle");
  assert.deepEqual(at(), [1, hour]);
  cursors.save(2, hour + 999, hour + 999, "due");
  assert.deepEqual(at(), [1, hour]);
  cursors.save(2, hour + 1_000, hour + 1_000, "idle");
  assert.deepEqual(at(), [2, hour]);
  cursors.save(3, hour + 2_000, hour + 2_000, "due");
  assert.deepEqual(at(), [3, hour + 2_000]);
  cursors.save(4, hour + 2_001, hour + 2_001, "last");
  assert.deepEqual(at(), [4, hour + 2_001]);
  log.calls.length = 0;
  cursors.save(4, hour + 2_001, hour + 9_000, "last");
  assert.deepEqual(log.calls, []);
});

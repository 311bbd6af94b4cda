import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { encodeFrame } from "../src/wire/frame.ts";
import { type ByteSink, Outbox } from "../src/wire/outbox.ts";

/** A kernel that takes bytes at once, or when told to. */
class FakeSink implements ByteSink {
  readonly written: Buffer[] = [];
  writableLength = 0;
  stuck = false;
  #taken: (() => void) | undefined;

  write(bytes: Uint8Array, taken: () => void): boolean {
    assert.equal(this.writableLength, 0, "one write at a time");
    this.written.push(Buffer.from(bytes));
    if (this.stuck) {
      this.writableLength = bytes.length;
      this.#taken = taken;
    } else {
      process.nextTick(taken);
    }
    return true;
  }

  /** Takes what was written last. */
  take(): void {
    this.writableLength = 0;
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.written);
  }
}

function message(size: number, fill: number): Buffer {
  return Buffer.alloc(size, fill & 0xff);
}

test("messages of one turn are one write, at the end of the turn", async () => {
  const sink = new FakeSink();
  const outbox = new Outbox(sink, 1000);
  outbox.message(Buffer.from("a"), Buffer.from("b"), [Buffer.from("c")]);
  outbox.message(Buffer.from("d"), undefined, undefined);
  assert.equal(sink.written.length, 0);
  await nextTurn();
  await nextTurn();
  assert.deepEqual(sink.written, [Buffer.from("\0\x03abc\0\x01d")]);
  assert.equal(outbox.pending, 0);
});

test("bytes keep their order over full chunks, large messages and a kernel that is slow now and then", async () => {
  const sink = new FakeSink();
  const outbox = new Outbox(sink, 1024 * 1024);
  const expected: Buffer[] = [];
  const sizes = [10, 300, 65_000, 65_527, 65_535, 65_536, 200_000, 0, 255, 256];
  for (let round = 0; round < 20; round++) {
    sink.stuck = round % 3 === 1;
    for (const [i, size] of sizes.entries()) {
      const body = message(size, round * 16 + i);
      expected.push(encodeFrame(0, body));
      outbox.message(body.subarray(0, 7), body.subarray(7), undefined);
    }
    await nextTurn();
    sink.stuck = false;
    sink.take();
    await nextTurn();
  }
  await outbox.flushed();
  assert.ok(sink.bytes.equals(Buffer.concat(expected)));
  assert.equal(outbox.pending, 0);
});

test("full at the high-water mark, drained below half of it, flushed when all is taken", async () => {
  const sink = new FakeSink();
  sink.stuck = true;
  let drained = 0;
  const outbox = new Outbox(sink, 1000);
  outbox.onDrain = () => drained++;
  outbox.message(message(498, 1), undefined, undefined);
  outbox.flush();
  assert.equal(outbox.isFull(), false);
  outbox.message(message(498, 2), undefined, undefined);
  assert.equal(outbox.isFull(), true);
  assert.equal(outbox.isWritable(), false);
  let flushed = false;
  const flushing = outbox.flushed().then(() => {
    flushed = true;
  });
  sink.take();
  assert.equal(drained, 0);
  sink.take();
  assert.equal(drained, 1);
  assert.equal(outbox.isFull(), false);
  await flushing;
  assert.equal(flushed, true);
});

test("a kernel that takes all at once never makes a small high-water mark full", () => {
  const sink = new FakeSink();
  const outbox = new Outbox(sink, 100);
  for (let i = 0; i < 50; i++) {
    assert.equal(outbox.isFull(), false);
    outbox.message(message(90, i), undefined, undefined);
  }
});

test("closing counts the messages that were not taken", async () => {
  const sink = new FakeSink();
  sink.stuck = true;
  const outbox = new Outbox(sink, 10_000_000);
  for (let i = 0; i < 1_000; i++) outbox.message(message(998 - 9, i), undefined, undefined);
  outbox.frame(0, Buffer.from("not counted"));
  const flushing = outbox.flushed();
  assert.equal(outbox.close(), 1_000);
  assert.equal(outbox.close(), 0);
  await flushing;
  assert.equal(outbox.pending, 0);
  assert.equal(outbox.isFull(), true);
  assert.equal(outbox.isWritable(), false);
});

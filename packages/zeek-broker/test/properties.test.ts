import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { DecodeError, decodeValue, encodeValue } from "../src/index.ts";
import { decodeHandshake, WrongMagic } from "../src/messages/handshake-message.ts";
import { decodeNodeMessage } from "../src/messages/node-message.ts";
import { FrameReader } from "../src/wire/frame-reader.ts";
import { anyValue } from "./arbitrary.ts";
import { framed } from "./support.ts";
import { bytesOf, readSession, readVector, type VectorFrame } from "./vectors.ts";

/** Frames that Zeek sent, and pieces of a protocol for inputs that get past the first bytes. */
const recorded = ["session-originator", "session-responder", "session-log-frames"].flatMap(readSession).map(bytesOf);
const allTypes = bytesOf(readVector<{ frame: VectorFrame }>("all-types").frame);
const mutated = fc
  .tuple(
    fc.constantFrom(...recorded, allTypes),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
  )
  .map(([frame, changes]) => {
    const copy = Buffer.from(frame);
    for (const [at, byte] of changes) copy[at % copy.length] = byte;
    return copy;
  });
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
  mutated,
);

/** Runs what may only end in a value or a DecodeError. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    assert.ok(error instanceof DecodeError || error instanceof WrongMagic, String(error));
    return undefined;
  }
}

suite("properties", { timeout: 60_000 }, () => {
  test("values decode to what was encoded, and encode to the same bytes again", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const encoded = encodeValue(value);
        const decoded = decodeValue(encoded);
        assert.deepEqual(encodeValue(decoded), encoded);
        assert.deepEqual(decodeValue(encodeValue(decoded)), decoded);
      }),
      { numRuns: 500 },
    );
  });

  test("any bytes are a value, a message or a DecodeError", () => {
    fc.assert(
      fc.property(bytes, (input) => {
        attempt(() => decodeHandshake(input, 100));
        const message = attempt(() => decodeNodeMessage(input));
        if (message !== undefined) attempt(() => decodeValue(message.payload));
        const value = attempt(() => decodeValue(input));
        if (value !== undefined) assert.deepEqual(decodeValue(encodeValue(value)), value);
      }),
      { numRuns: 5_000 },
    );
  });

  test("frames come out as they went in, however the stream is cut", () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sent, cuts) => {
        const reader = new FrameReader(40);
        const stream = Buffer.concat(sent.map(framed));
        const received: Buffer[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const end = at + (cuts[turn % cuts.length] ?? 1);
          reader.push(Buffer.from(stream.subarray(at, end)));
          for (let frame = reader.next(); frame !== undefined; frame = reader.next()) received.push(frame);
          at = end;
        }
        assert.deepEqual(
          received,
          sent.map((frame) => Buffer.from(frame)),
        );
        assert.equal(reader.buffered, 0);
      }),
    );
  });

  test("memory follows the bytes that came, not the lengths that were announced", () => {
    const before = process.memoryUsage().arrayBuffers;
    const announced = Buffer.from("00ffffff", "hex");
    const readers = Array.from({ length: 200 }, () => new FrameReader(16 * 1024 * 1024));
    for (const reader of readers) {
      reader.push(announced);
      for (let count = 0; count < 100; count++) {
        reader.push(Buffer.of(1));
        assert.equal(reader.next(), undefined);
      }
    }
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(readers.every((reader) => reader.buffered === 104));
    assert.ok(grown < 1024 * 1024, `${grown} bytes for 200 frames of which 104 bytes came`);
  });

  test("a message of 16 MiB of the smallest values is refused before it becomes objects", () => {
    const huge = Buffer.alloc(16 * 1024 * 1024);
    // A vector with as many members as there are bytes.
    Buffer.from("0ef0ffff07", "hex").copy(huge);
    assert.throws(() => decodeValue(huge), { name: "DecodeError", reason: "too-many-values" });
  });
});

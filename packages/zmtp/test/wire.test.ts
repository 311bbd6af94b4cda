import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeCommand, decodePing, encodeCommand, encodePing } from "../src/wire/command.ts";
import { encodeFrame, FLAG_COMMAND, FLAG_MORE, writeHeader } from "../src/wire/frame.ts";
import { encodeGreeting, GreetingReader } from "../src/wire/greeting.ts";
import { decodeMetadata, encodeMetadata } from "../src/wire/metadata.ts";
import { type FrameLimits, FrameParser } from "../src/wire/parser.ts";
import { Violation } from "../src/wire/violation.ts";
import { bytes } from "./support.ts";

const MIB = 1024 * 1024;
const LIMITS: FrameLimits = { maxMessageSize: MIB, keptMessageSize: MIB, maxCommandSize: 1024, maxFrames: 8 };

type Found = { command: string } | { message: string[] };

/** What a parser finds in chunks. */
function parse(chunks: readonly Buffer[], limits = LIMITS): Found[] {
  const found: Found[] = [];
  const parser = new FrameParser(
    {
      command: (body) => found.push({ command: body.toString("latin1") }),
      message: (frames) => found.push({ message: frames.map((frame) => frame.toString("latin1")) }),
    },
    limits,
  );
  for (const chunk of chunks) parser.push(chunk);
  return found;
}

function reasonOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Violation) return error.breach.reason;
    throw error;
  }
  return "none";
}

test("bytes seen from libzmq are what the encoders make and the decoders take", () => {
  const ready = encodeCommand("READY", encodeMetadata({ "Socket-Type": "SUB" }));
  assert.deepEqual(encodeFrame(FLAG_COMMAND, ready), bytes(`04 19 05 "READY" 0B "Socket-Type" 00000003 "SUB"`));
  const subscribe = encodeFrame(FLAG_COMMAND, encodeCommand("SUBSCRIBE", Buffer.from("abc")));
  assert.deepEqual(subscribe, bytes(`04 0D 09 "SUBSCRIBE" "abc"`));
  assert.deepEqual(encodeFrame(0, bytes(`01 "abc"`)), bytes(`00 04 01 "abc"`));
  const ping = encodeFrame(FLAG_COMMAND, encodePing({ ttl: 0, context: Buffer.alloc(0) }));
  assert.deepEqual(ping, bytes(`04 07 04 "PING" 0000`));
  assert.deepEqual(parse([bytes(`01 00 00 02 "{}"`)]), [{ message: ["", "{}"] }]);
  assert.deepEqual(decodeMetadata(decodeCommand(ready).data).get("socket-type"), Buffer.from("SUB"));
});

test("the greeting has the layout of the specification", () => {
  const greeting = encodeGreeting("NULL", false);
  assert.deepEqual(greeting, Buffer.concat([bytes(`FF00000000000000017F 03 01 "NULL"`), Buffer.alloc(48)]));
  for (const size of [1, 10, 11, 64]) {
    const reader = new GreetingReader();
    for (let at = 0; at < greeting.length; at += size) reader.push(greeting.subarray(at, at + size));
    assert.deepEqual(reader.greeting, { minor: 1, mechanism: "NULL", asServer: false });
  }
});

test("a greeting takes no byte of what follows it", () => {
  const reader = new GreetingReader();
  assert.equal(reader.push(Buffer.concat([encodeGreeting("CURVE", true), Buffer.from("more")])), 64);
  assert.deepEqual(reader.greeting, { minor: 1, mechanism: "CURVE", asServer: true });
});

test("other protocols and old versions are recognised by their first bytes", () => {
  assert.equal(
    reasonOf(() => new GreetingReader().push(Buffer.from("GET / HTTP/1.1\r\n"))),
    "bad-greeting",
  );
  assert.equal(
    reasonOf(() => new GreetingReader().push(bytes("FF0000000000000001 00"))),
    "bad-greeting",
  );
  assert.equal(
    reasonOf(() => new GreetingReader().push(bytes("FF00000000000000017F 01"))),
    "version",
  );
});

test("frames are the same however the stream is cut", () => {
  const long = Buffer.alloc(300, "x");
  const stream = Buffer.concat([
    encodeFrame(0, Buffer.from("one")),
    encodeFrame(FLAG_MORE, Buffer.alloc(0)),
    encodeFrame(FLAG_COMMAND, Buffer.from("\x04PINGab")),
    encodeFrame(FLAG_MORE, long),
    encodeFrame(0, Buffer.alloc(0)),
    encodeFrame(0, Buffer.alloc(255, "y")),
    encodeFrame(0, long),
  ]);
  const whole = parse([stream]);
  assert.equal(whole.length, 5);
  for (let cut = 0; cut <= stream.length; cut++) {
    assert.deepEqual(parse([stream.subarray(0, cut), stream.subarray(cut)]), whole, `cut at ${cut}`);
  }
  assert.deepEqual(parse(Array.from(stream, (byte) => Buffer.of(byte))), whole);
});

test("any messages in any cuts come out as they went in", () => {
  const frame = fc.uint8Array({ maxLength: 600 });
  const message = fc.array(frame, { minLength: 1, maxLength: 5 });
  const cuts = fc.array(fc.nat({ max: 5_000 }), { maxLength: 10 });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 10 }), cuts, (messages, at) => {
      const stream = Buffer.concat(
        messages.flatMap((frames) => frames.map((body, i) => encodeFrame(i + 1 < frames.length ? FLAG_MORE : 0, body))),
      );
      const edges = [0, ...at.filter((cut) => cut < stream.length).sort((a, b) => a - b), stream.length];
      const chunks = edges.slice(1).map((edge, i) => stream.subarray(edges[i], edge));
      assert.deepEqual(
        parse(chunks),
        messages.map((frames) => ({ message: frames.map((body) => Buffer.from(body).toString("latin1")) })),
      );
    }),
  );
});

test("a body of many chunks is assembled", () => {
  const body = Buffer.alloc(1024 * 1024, "0123456789");
  const stream = encodeFrame(0, body);
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length; at += 1_447) chunks.push(stream.subarray(at, at + 1_447));
  assert.deepEqual(parse(chunks), [{ message: [body.toString("latin1")] }]);
});

test("random bytes end in frames or in a Violation", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 20 }), (chunks) => {
      const reason = reasonOf(() => parse(chunks.map((chunk) => Buffer.from(chunk))));
      const known = ["none", "bad-flags", "message-too-large", "command-too-large", "too-many-frames"];
      assert.ok(known.includes(reason), reason);
    }),
  );
});

test("random bodies of commands end in a value or in a Violation", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (input) => {
      const body = Buffer.from(input);
      assert.ok(["none", "bad-command"].includes(reasonOf(() => decodeCommand(body))));
      assert.ok(["none", "bad-command"].includes(reasonOf(() => decodePing(body))));
      assert.ok(["none", "bad-metadata"].includes(reasonOf(() => decodeMetadata(body))));
    }),
  );
});

test("hostile lengths are refused by the header alone", () => {
  const lengths = ["0000000000100001", "0000000100000000", "7FFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFF"];
  for (const length of lengths) {
    assert.equal(
      reasonOf(() => parse([bytes(`02 ${length}`)])),
      "message-too-large",
      length,
    );
    assert.equal(
      reasonOf(() => parse([bytes(`06 ${length}`)])),
      "command-too-large",
      length,
    );
    assert.equal(
      reasonOf(() => parse(Array.from(bytes(`02 ${length}`), (byte) => Buffer.of(byte)))),
      "message-too-large",
    );
  }
});

test("the size limit counts all frames of a message, and the frames are limited too", () => {
  const half = encodeFrame(FLAG_MORE, Buffer.alloc(60));
  const limits = { ...LIMITS, maxMessageSize: 100 };
  assert.equal(
    reasonOf(() => parse([half, half], limits)),
    "message-too-large",
  );
  assert.deepEqual(parse([encodeFrame(0, Buffer.alloc(100, "a"))], limits), [{ message: ["a".repeat(100)] }]);
  const empty = encodeFrame(FLAG_MORE, Buffer.alloc(0));
  assert.equal(
    reasonOf(() => parse(Array(9).fill(empty))),
    "too-many-frames",
  );
});

test("what is beyond the kept size is read and thrown away, however it is cut into chunks", () => {
  const limits = { ...LIMITS, keptMessageSize: 100_000 };
  const long = Buffer.alloc(300_000, "0123456789");
  const stream = Buffer.concat([
    encodeFrame(FLAG_MORE, Buffer.alloc(0)),
    encodeFrame(0, long),
    encodeFrame(FLAG_MORE, long.subarray(0, 99_999)),
    encodeFrame(FLAG_MORE, Buffer.from("abc")),
    encodeFrame(FLAG_COMMAND, encodeCommand("PING", Buffer.alloc(2))),
    encodeFrame(0, Buffer.from("def")),
    encodeFrame(0, Buffer.from("whole")),
  ]);
  const kept = long.toString("latin1", 0, 100_000);
  const expected = [
    { message: ["", kept] },
    { command: "\x04PING\0\0" },
    { message: [kept.slice(0, 99_999), "a", ""] },
    { message: ["whole"] },
  ];
  for (const size of [1, 7, 65_536, 99_999, 150_000, stream.length]) {
    const chunks = [];
    for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
    assert.deepEqual(parse(chunks, limits), expected, `chunks of ${size} bytes`);
  }
  const most = encodeFrame(FLAG_MORE, long);
  assert.equal(
    reasonOf(() => parse([most, most, most, most], limits)),
    "message-too-large",
    "bytes that are not kept count for the limit",
  );
});

test("reserved flags, and commands with more to come, are refused", () => {
  for (const flags of ["08", "10", "80", "05"]) {
    assert.equal(
      reasonOf(() => parse([bytes(`${flags} 00`)])),
      "bad-flags",
      flags,
    );
  }
});

test("metadata: names without case, limits on size and number", () => {
  assert.deepEqual([...decodeMetadata(encodeMetadata({ A: "1", "X-b": "" })).keys()], ["a", "x-b"]);
  assert.equal(
    reasonOf(() => decodeMetadata(encodeMetadata({ A: "x".repeat(9_000) }))),
    "metadata-too-large",
  );
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`p${i}`, ""]));
  assert.equal(
    reasonOf(() => decodeMetadata(encodeMetadata(many))),
    "metadata-too-large",
  );
  assert.equal(
    reasonOf(() => decodeMetadata(bytes(`01 "A" FFFFFFFF "x"`))),
    "bad-metadata",
  );
});

test("headers of every kind of length are read as they are written", () => {
  for (const length of [0, 1, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32, 2 ** 40 + 7]) {
    const header = Buffer.alloc(9);
    const size = writeHeader(header, 0, 0, length);
    assert.equal(size, length > 255 ? 9 : 2);
    assert.equal(length > 255 ? Number(header.readBigUInt64BE(1)) : header[1], length);
  }
});

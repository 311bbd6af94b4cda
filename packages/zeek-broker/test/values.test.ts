import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { BrokerError, decodeEvent, decodeValue, encodeEvent, encodeValue, Value } from "../src/index.ts";
import { decodeNodeMessage } from "../src/messages/node-message.ts";
import { bytesOf, fromVector, readSession, readVector, type VectorFrame } from "./vectors.ts";

const SESSIONS = ["session-originator", "session-responder", "session-log-frames"];

/** All data frames that Zeek sent, with their value. */
function dataFrames(): VectorFrame[] {
  const single = readVector<{ frame: VectorFrame }>("all-types").frame;
  return [single, ...SESSIONS.flatMap(readSession)].filter((frame) => frame.what.startsWith("data"));
}

suite("values", () => {
  test("every value that Zeek sent decodes, and encodes to the same bytes", () => {
    const frames = dataFrames();
    assert.ok(frames.length > 10);
    for (const frame of frames) {
      const { payload } = decodeNodeMessage(bytesOf(frame));
      const value = decodeValue(payload);
      if (frame.value !== undefined) assert.deepEqual(value, fromVector(frame.value));
      assert.deepEqual(Buffer.from(encodeValue(value)), Buffer.from(payload));
    }
  });

  test("events of the sessions decode and encode to the same bytes; log writes are no events", () => {
    let events = 0;
    for (const frame of dataFrames()) {
      const { payload } = decodeNodeMessage(bytesOf(frame));
      const event = decodeEvent(payload);
      assert.equal(event === undefined, frame.topic?.startsWith("zeek/logs/") ?? false);
      if (event === undefined) continue;
      events += 1;
      assert.deepEqual(Buffer.from(encodeEvent(event)), Buffer.from(payload));
    }
    assert.ok(events > 8);
  });

  test("addresses keep their bytes and have one text", () => {
    const texts: [input: string, canonical: string][] = [
      ["10.0.0.1", "10.0.0.1"],
      ["::ffff:10.0.0.1", "10.0.0.1"],
      ["::", "::"],
      ["::1", "::1"],
      ["1::", "1::"],
      ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
      ["::1.2.3.4", "::102:304"],
      ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ];
    for (const [input, canonical] of texts) {
      assert.deepEqual(decodeValue(encodeValue(Value.address(input))), Value.address(canonical), input);
    }
    for (const subnet of ["10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "::ffff:0:0/95"]) {
      assert.deepEqual(decodeValue(encodeValue(Value.subnet(subnet))), Value.subnet(subnet));
    }
  });

  test("reals that are no finite numbers", () => {
    for (const real of [Number.NaN, Infinity, -Infinity, -0]) {
      assert.deepEqual(decodeValue(encodeValue(Value.real(real))), Value.real(real));
    }
  });

  test("strings that are not UTF-8 stay bytes", () => {
    const bytes = Uint8Array.of(0xff, 0x00, 0x80);
    assert.deepEqual(decodeValue(encodeValue(Value.string(bytes))), Value.string(bytes));
  });

  test("what has no place on the wire is refused with a code", () => {
    const deep = Array.from({ length: 70 }).reduce<Value>((inner) => Value.vector(inner), Value.none);
    const wrong: Value[] = [
      Value.count(-1n),
      Value.count(2n ** 64n),
      Value.integer(2n ** 63n),
      Value.timestamp(2n ** 63n),
      Value.timespan(-(2n ** 63n) - 1n),
      Value.port(65_536, "tcp"),
      Value.port(1.5, "tcp"),
      Value.address("10.0.0"),
      Value.address("fe80::1%eth0"),
      Value.subnet("10.0.0.0"),
      Value.subnet("10.0.0.0/33"),
      Value.subnet("10.0.0.0/8/8"),
      Value.subnet("::/129"),
      deep,
    ];
    for (const value of wrong) {
      assert.throws(
        () => encodeValue(value),
        (error) => error instanceof BrokerError && error.code === "INVALID_VALUE",
      );
    }
  });
});

suite("values that are wrong", () => {
  const cases: [name: string, hex: string, reason: string][] = [
    ["nothing", "", "truncated"],
    ["an unknown tag", "0f", "bad-tag"],
    ["a count of seven bytes", "0200000000000000", "truncated"],
    ["a string longer than the message", "05ff7f61", "truncated"],
    ["a varbyte over 32 bits", "05ffffffff10", "bad-value"],
    ["a varbyte that never ends", "0580808080808000", "bad-value"],
    ["a set with more members than bytes", "0cffffffff0f", "truncated"],
    ["a table with more entries than fit", "0d020000", "truncated"],
    ["an unknown port protocol", "08000104", "bad-value"],
    ["a prefix over 128", `07${"00".repeat(16)}81`, "bad-value"],
    ["an enum that is not UTF-8", "0b01ff", "bad-value"],
    ["bytes after the value", "0000", "trailing-bytes"],
    ["vectors in vectors", "0e01".repeat(100).concat("00"), "too-deep"],
    ["too many values", `0e${"c1843d"}${"00".repeat(1_000_001)}`, "too-many-values"],
  ];
  for (const [name, hex, reason] of cases) {
    test(name, () => {
      assert.throws(() => decodeValue(Buffer.from(hex, "hex")), { name: "DecodeError", reason });
    });
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { capture } from "../src/capture.ts";

test("a capture holds one record per packet, of the length that its headers say", () => {
  const file = capture([
    { time: "2026-05-04T12:00:00.000Z", source: "192.0.2.10", destination: "198.51.100.3" },
    { time: "2026-05-04T12:00:05.250Z", source: "192.0.2.11", destination: "198.51.100.4", host: "a.example" },
  ]);
  assert.equal(file.readUInt32LE(0), 0xa1b2c3d4);
  const packets: { readonly time: number; readonly ipv4: Buffer }[] = [];
  for (let at = 24; at < file.length; ) {
    const time = file.readUInt32LE(at) * 1_000 + file.readUInt32LE(at + 4) / 1_000;
    const length = file.readUInt32LE(at + 8);
    assert.equal(file.readUInt32LE(at + 12), length);
    packets.push({ time, ipv4: file.subarray(at + 16 + 14, at + 16 + length) });
    at += 16 + length;
  }
  assert.equal(packets.length, 7);
  for (const { ipv4 } of packets) assert.equal(ipv4.readUInt16BE(2), ipv4.length);
  const lookup = packets[3];
  assert.equal(lookup?.time, Date.parse("2026-05-04T12:00:05.250Z"));
  assert.equal(lookup?.ipv4[9], 17);
  assert.equal(lookup?.ipv4.subarray(40).toString("latin1"), "\x01a\x07example\0\0\x01\0\x01");
  assert.deepEqual([...(packets[0]?.ipv4.subarray(16, 20) ?? [])], [198, 51, 100, 3]);
});

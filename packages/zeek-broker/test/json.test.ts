import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { BrokerError, DecodeError, decodeJson, encodeJson, Value } from "../src/index.ts";
import { decodeServerMessage, encodeDataMessage } from "../src/websocket/message.ts";
import { anyValue } from "./arbitrary.ts";
import { readTranscript } from "./vectors.ts";

suite("JSON encoding of values", { timeout: 30_000 }, () => {
  test("every type, as Zeek 8.0.10 writes it", () => {
    const pairs: [text: string, value: Value][] = [
      ['{"@data-type":"none","data":{}}', Value.none],
      ['{"@data-type":"boolean","data":true}', Value.boolean(true)],
      ['{"@data-type":"count","data":18446744073709551615}', Value.count(2n ** 64n - 1n)],
      ['{"@data-type":"count","data":9007199254740993}', Value.count(9_007_199_254_740_993n)],
      ['{"@data-type":"integer","data":-9223372036854775808}', Value.integer(-(2n ** 63n))],
      ['{"@data-type":"real","data":1.5}', Value.real(1.5)],
      ['{"@data-type":"real","data":2.0}', Value.real(2)],
      ['{"@data-type":"string","data":"q\\"uote\\\\\\n"}', Value.string('q"uote\\\n')],
      ['{"@data-type":"address","data":"10.0.0.1"}', Value.address("10.0.0.1")],
      ['{"@data-type":"subnet","data":"2001:db8::/32"}', Value.subnet("2001:db8::/32")],
      ['{"@data-type":"port","data":"443/udp"}', Value.port(443, "udp")],
      ['{"@data-type":"port","data":"0/?"}', Value.port(0, "unknown")],
      ['{"@data-type":"timestamp","data":"2023-11-14T22:13:20.123"}', Value.timestamp(1_700_000_000_123_000_000n)],
      ['{"@data-type":"timestamp","data":"2023-11-14T22:13:20.123456"}', Value.timestamp(1_700_000_000_123_456_000n)],
      ['{"@data-type":"timestamp","data":"1969-12-31T23:59:59.999999999"}', Value.timestamp(-1n)],
      ['{"@data-type":"timespan","data":"-90s"}', Value.timespan(-90_000_000_000n)],
      ['{"@data-type":"timespan","data":"1500ms"}', Value.timespan(1_500_000_000n)],
      ['{"@data-type":"timespan","data":"2d"}', Value.timespan(172_800_000_000_000n)],
      ['{"@data-type":"enum-value","data":"Intel::DOMAIN"}', Value.enum("Intel::DOMAIN")],
      ['{"@data-type":"set","data":[{"@data-type":"count","data":1}]}', Value.set(Value.count(1))],
      ['{"@data-type":"vector","data":[]}', Value.vector()],
      [
        '{"@data-type":"table","data":[{"key":{"@data-type":"count","data":1},"value":{"@data-type":"none","data":{}}}]}',
        Value.table([Value.count(1), Value.none]),
      ],
    ];
    for (const [text, value] of pairs) {
      assert.deepEqual(decodeJson(text), value, text);
      // -90 s is "-90s" to Zeek and to this package; 2 d could as well be 48 h.
      assert.equal(encodeJson(value), text);
    }
    assert.deepEqual(decodeJson('{"@data-type":"real","data":1.500000}'), Value.real(1.5));
    assert.deepEqual(decodeJson('{"@data-type":"timespan","data":"1.5min"}'), Value.timespan(90_000_000_000n));
    assert.deepEqual(
      decodeJson('{"@data-type":"timestamp","data":"1970-01-01T00:00:01"}'),
      Value.timestamp(1_000_000_000n),
    );
  });

  test("every message of the transcript with Zeek 8.0.10 decodes; ours are encoded to the same bytes", () => {
    let compared = 0;
    for (const { from, text } of readTranscript()) {
      if (!text.startsWith("{")) continue;
      if (from === "zeek") assert.notEqual(decodeServerMessage(text).type, "unknown");
      else if (text.includes('"data"')) {
        const message = decodeServerMessage(text);
        assert.ok(message.type === "data-message");
        assert.equal(encodeDataMessage(message.topic, message.value), text);
        compared += 1;
      }
    }
    assert.equal(compared, 3);
  });

  test("any value comes back as it was", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const decoded = decodeJson(encodeJson(value));
        assert.deepEqual(decodeJson(encodeJson(decoded)), decoded);
      }),
      { numRuns: 500 },
    );
  });

  test("any text is a message or a DecodeError", () => {
    const transcript = readTranscript().map(({ text }) => text);
    const mutated = fc
      .tuple(fc.constantFrom(...transcript), fc.nat(), fc.string({ maxLength: 3 }), fc.nat(3))
      .map(([text, at, piece, cut]) => {
        const position = at % (text.length + 1);
        return text.slice(0, position) + piece + text.slice(position + cut);
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.json()), (text) => {
        try {
          decodeServerMessage(text);
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
      }),
      { numRuns: 3_000 },
    );
  });

  const wrong: [name: string, text: string][] = [
    ["a count below zero", '{"@data-type":"count","data":-1}'],
    ["a count over 64 bits", '{"@data-type":"count","data":18446744073709551616}'],
    ["a count with a fraction", '{"@data-type":"count","data":1.5}'],
    ["a count of a million digits", `{"@data-type":"count","data":${"9".repeat(1_000_000)}}`],
    ["a timestamp that does not fit", '{"@data-type":"timestamp","data":"9999-01-01T00:00:00"}'],
    ["a timestamp of no day", '{"@data-type":"timestamp","data":"2023-13-01T00:00:00"}'],
    ["a timespan without unit", '{"@data-type":"timespan","data":"5"}'],
    ["a port over 65535", '{"@data-type":"port","data":"65536/tcp"}'],
    ["an address that is none", '{"@data-type":"address","data":"localhost"}'],
    ["an unknown type", '{"@data-type":"pattern","data":"x"}'],
    ["a table of something else", '{"@data-type":"table","data":[1]}'],
    ["deeper than values may be", `${'{"@data-type":"vector","data":['.repeat(100)}${"]}".repeat(100)}`],
    ["brackets without end", "[".repeat(16_000_000)],
    ["brackets without end, and long digits", `${"[".repeat(1_000_000)}1234567890123456${"]".repeat(1_000_000)}`],
  ];
  for (const [name, text] of wrong) {
    test(`refused: ${name}`, () => {
      assert.throws(() => decodeJson(text), DecodeError);
    });
  }

  test("more numbers than values may be are refused before they are converted", () => {
    const refused = (error: unknown) => error instanceof DecodeError && error.reason === "too-many-values";
    assert.throws(() => decodeJson(`[${"1,".repeat(2_000_001)}1234567890123456]`), refused);
  });

  test("an error quotes little of what it is about", () => {
    const text = `{"@data-type":"timespan","data":"${"1".repeat(1_000_000)}s"}`;
    assert.throws(
      () => decodeJson(text),
      (error) => error instanceof DecodeError && error.message.length <= 200,
    );
  });

  test("brackets in strings are text", () => {
    const value = Value.vector(Value.string(`\\"${"[{".repeat(1_000)}`), Value.string('"'));
    assert.deepEqual(decodeJson(encodeJson(value)), value);
  });

  test("what JSON cannot hold is refused to the caller", () => {
    for (const value of [
      Value.real(Number.NaN),
      Value.real(Infinity),
      Value.string(Uint8Array.of(255)),
      Value.count(-1),
    ]) {
      assert.throws(
        () => encodeJson(value),
        (error) => error instanceof BrokerError && error.code === "INVALID_VALUE",
      );
    }
  });
});

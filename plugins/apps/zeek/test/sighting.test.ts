import assert from "node:assert/strict";
import { test } from "node:test";
import { Value } from "@threatbus/zeek-broker";
import { jsonOf, sightingOf } from "../src/sighting.ts";

const INDICATOR = Value.string("indicator--46b3f973-5c03-41fc-9efe-49598a267a35");

/** The JSON text of the sighting with this context. */
function contextText(context: Value): string {
  const sighting = sightingOf({ name: "Tenzir::sighting", args: [Value.none, INDICATOR, context] }, "Tenzir");
  assert.ok(sighting.ok);
  return /"x_threatbus_sighting_context": (.*)}$/.exec(sighting.value.bytes.toString())?.[1] ?? "";
}

test("every type of Broker has a form in JSON", () => {
  const time = Value.timestamp(1_700_000_000_123_456_789n);
  const every: [Value, unknown][] = [
    [Value.none, null],
    [Value.boolean(true), true],
    [Value.count(5), 5n],
    [Value.integer(-5), -5n],
    [Value.real(1.5), 1.5],
    [Value.real(Number.NaN), null],
    [Value.real(Number.POSITIVE_INFINITY), null],
    [Value.string("ü"), "ü"],
    [Value.string(new Uint8Array([0x41, 0xff, 0x00])), "A\\xff\\x00"],
    [Value.address("2001:db8::1"), "2001:db8::1"],
    [Value.subnet("10.0.0.0/8"), "10.0.0.0/8"],
    [Value.port(443, "udp"), "443/udp"],
    [time, "2023-11-14T22:13:20.123456Z"],
    [Value.timespan(-90_500_000_000n), -90.5],
    [Value.enum("Intel::DOMAIN"), "Intel::DOMAIN"],
    [Value.set(Value.count(1), Value.count(2)), [1n, 2n]],
    [Value.vector(Value.none, Value.string("a")), [null, "a"]],
    [
      Value.table([Value.vector(Value.address("192.0.2.1"), Value.count(7)), time]),
      { '["192.0.2.1","7"]': "2023-11-14T22:13:20.123456Z" },
    ],
  ];
  for (const [value, json] of every) assert.deepEqual(jsonOf(value), json);
});

test("64-bit numbers keep all their digits on the bus", () => {
  const context = Value.table(
    [Value.string("n"), Value.count(2n ** 64n - 1n)],
    [Value.string("x"), Value.integer(-(2n ** 63n))],
  );
  assert.equal(contextText(context), '{"n": 18446744073709551615, "x": -9223372036854775808}');
});

test("tables whose keys are tables take no more room than they have members", () => {
  let context = Value.string('"');
  for (let depth = 0; depth < 28; depth += 1) context = Value.table([Value.vector(context), Value.none]);
  assert.ok(contextText(context).length < 1_000);
  const key = Value.table([Value.string("a"), Value.table([Value.count(1), Value.none])]);
  assert.deepEqual(jsonOf(Value.table([key, Value.boolean(true)])), { '[["a",[["1",null]]]]': true });
});

test("names that mean something to JavaScript are only names", () => {
  const context = Value.table(
    [Value.string("__proto__"), Value.string("x")],
    [Value.string("constructor"), Value.none],
  );
  assert.equal(contextText(context), '{"__proto__": "x", "constructor": null}');
});

test("a context nested too deep is refused with the rule", () => {
  let context = Value.vector();
  for (let depth = 0; depth < 100; depth += 1) context = Value.vector(context);
  const sighting = sightingOf({ name: "sighting", args: [Value.none, INDICATOR, context] }, "Tenzir");
  assert.deepEqual(sighting, { ok: false, reason: "json.depth" });
});

test("the source is named when it is known", () => {
  const event = { name: "sighting", args: [Value.none, INDICATOR, Value.none] };
  const sighting = sightingOf(event, "Tenzir", "zeek:manager");
  assert.ok(sighting.ok);
  assert.equal(sighting.value.object.x_threatbus_source, "zeek:manager");
});

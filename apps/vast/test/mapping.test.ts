/** What the vectors do not say: what is refused, times, command lines, the digest of events. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fillPlaceholders, splitCommandLine } from "../src/command-line.ts";
import { eventDigest, readLine } from "../src/event.ts";
import { eventTime } from "../src/event-time.ts";
import { canonicalAddress, type Ioc, refusal } from "../src/ioc.ts";

test("values that would be query text or an option are refused", () => {
  const cases: [Ioc["type"], string, ReturnType<typeof refusal>][] = [
    ["ip", "203.0.113.7", undefined],
    ["ip", "203.0.113.0/24", undefined],
    ["ip", "203.0.113.0/33", "not_an_address"],
    ["ip", "203.0.113.0/24/1", "not_an_address"],
    ["ip", "1.1.1.1 || true", "not_an_address"],
    ["ip", "", "not_an_address"],
    ["ipv6", "2001:db8::/32", undefined],
    ["ipv6", "2001:db8::/129", "not_an_address"],
    ["ipv6", "fe80::1%eth0", "not_an_address"],
    ["domain", "evil.example", undefined],
    ["domain", 'x" || true || "', undefined],
    ["domain", "--help", "unsafe_value"],
    ["domain", "", "unsafe_value"],
    ["url", "a\0b", "unsafe_value"],
    ["url", "a\nb", "unsafe_value"],
    ["url", "x".repeat(4_097), "unsafe_value"],
  ];
  for (const [type, value, expected] of cases) assert.equal(refusal({ type, value }), expected, value.slice(0, 40));
});

test("one address has one form", () => {
  assert.equal(canonicalAddress("2001:DB8:0:0::1"), "2001:db8::1");
  assert.equal(canonicalAddress("2001:DB8::/032"), "2001:db8::/32");
  assert.equal(canonicalAddress("203.0.113.7"), "203.0.113.7");
});

test("the time of an event is its ts, else timestamp, else time", () => {
  assert.equal(eventTime({ time: "2024-06-10T06:11:02Z" }), "2024-06-10T06:11:02Z");
  assert.equal(eventTime({ timestamp: "2024-06-10T06:11:02Z", time: "x" }), "2024-06-10T06:11:02Z");
  assert.equal(eventTime({ time: 5 }), undefined);
  assert.equal(eventTime({ ts: "0001-01-01T00:00:00+01:00" }), undefined, "the year 0");
  assert.equal(eventTime({ ts: "9".repeat(100_000) }), undefined);
});

test("a command line is split by the rules of the shell, without its expansions", () => {
  assert.deepEqual(splitCommandLine("fever alertify --alert-prefix 'MY PREFIX' --ioc %ioc"), [
    "fever",
    "alertify",
    "--alert-prefix",
    "MY PREFIX",
    "--ioc",
    "%ioc",
  ]);
  assert.deepEqual(splitCommandLine(String.raw`a"b c"d\ e '' "x\"y\z" $HOME;`), [
    "ab cd e",
    "",
    String.raw`x"y\z`,
    "$HOME;",
  ]);
  assert.equal(splitCommandLine("a 'b"), undefined);
  assert.equal(splitCommandLine("a\\"), undefined);
  assert.deepEqual(splitCommandLine("  "), []);
});

test("a value with spaces and quotes stays one argument, and its own placeholders are text", () => {
  const words = splitCommandLine("tool --ioc=%ioc %matchtype '%ioc'") ?? [];
  const ioc = `x' --evil "%matchtype" $(id)`;
  assert.deepEqual(fillPlaceholders(words, { ioc, matchType: "LIVE" }), ["tool", `--ioc=${ioc}`, "LIVE", ioc]);
});

test("the digest of an event does not depend on the order of its members, but on every digit", () => {
  const digest = (text: string) => {
    const line = readLine(text);
    assert.ok(line);
    return eventDigest(line);
  };
  assert.equal(digest('{"a": 1, "b": {"c": [1, 2], "d": null}}'), digest('{"b":{"d":null,"c":[1,2]},"a":1}'));
  assert.notEqual(digest('{"a": 12345678901234567890}'), digest('{"a": 12345678901234567891}'));
  assert.notEqual(digest('{"a": 1}'), digest('{"a": "1"}'));
  assert.notEqual(digest('{"a": [1, 2]}'), digest('{"a": [2, 1]}'));
});

test("NaN and Infinity become null outside of texts", () => {
  const text = readLine('{"a": NaN, "b": [-Infinity, 1], "c": "NaN \\" Infinity"}')?.text;
  assert.equal(text, '{"a": null, "b": [null, 1], "c": "NaN \\" Infinity"}');
  assert.equal(readLine("[".repeat(200_000)), undefined);
});

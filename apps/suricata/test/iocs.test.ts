/** Which STIX patterns are values that Suricata can look for, and the rules that are made of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { iocOf } from "../src/iocs/ioc.ts";
import { rulesOfSet, SET_SIDS, SETS, setOfSid } from "../src/iocs/sets.ts";
import { Sids } from "../src/iocs/sids.ts";
import { DEFAULT_TEMPLATES, fillTemplate } from "../src/iocs/templates.ts";
import { parseRule } from "../src/rules/parse.ts";

const MD5 = "d41d8cd98f00b204e9800998ecf8427e";
const pattern = (path: string, value: string) => ({ pattern_type: "stix", pattern: `[${path} = '${value}']` });

test("values are brought into the form in which they are compared", () => {
  const cases = [
    ["ipv4-addr:value", "198.51.100.3", "ip 198.51.100.3"],
    ["ipv4-addr:value", "198.51.100.3/32", "ip 198.51.100.3"],
    ["ipv4-addr:value", "198.51.100.0/24", "network 198.51.100.0/24"],
    ["ipv6-addr:value", "2001:DB8:0:0:0:0:0:1", "ip 2001:db8::1"],
    ["ipv6-addr:value", "2001:db8::/32", "network 2001:db8::/32"],
    ["domain-name:value", "Evil.Example.", "domain evil.example"],
    ["url:value", "http://Evil.example/A?b=C", "url http://Evil.example/A?b=C"],
    ["file:hashes.MD5", MD5.toUpperCase(), `md5 ${MD5}`],
    ["file:hashes.'MD5'", MD5, `md5 ${MD5}`],
    ["file:hashes.'SHA-1'", "a".repeat(40), `sha1 ${"a".repeat(40)}`],
    ["file:hashes.'SHA-256'", "B".repeat(64), `sha256 ${"b".repeat(64)}`],
  ] as const;
  for (const [path, value, expected] of cases) {
    const ioc = iocOf(pattern(path, value));
    assert.equal(ioc && `${ioc.kind} ${ioc.value}`, expected);
  }
});

test("everything else is none: other paths, other operators, values that are no such thing", () => {
  const none = [
    pattern("ipv4-addr:value", "198.51.100.300"),
    pattern("ipv4-addr:value", "198.51.100.3/33"),
    pattern("ipv4-addr:value", "198.51.100.3/24/1"),
    pattern("ipv4-addr:value", "2001:db8::1"),
    pattern("ipv6-addr:value", "fe80::1%eth0"),
    pattern("domain-name:value", 'evil".example'),
    pattern("domain-name:value", "evil example"),
    pattern("domain-name:value", "198.51.100.3"),
    pattern("domain-name:value", "x".repeat(300)),
    pattern("url:value", "ftp://evil.example/a"),
    pattern("url:value", `http://evil.example/${"a".repeat(2_000)}`),
    pattern("url:value", "http://evil.example/a b"),
    pattern("file:hashes.MD5", "xyz"),
    pattern("file:hashes.'SHA-512'", "a".repeat(128)),
    pattern("email-addr:value", "a@evil.example"),
    { pattern_type: "stix", pattern: "[domain-name:value = 'a.example' AND domain-name:value = 'b.example']" },
    { pattern_type: "stix", pattern: "[domain-name:value != 'a.example']" },
    { pattern_type: "sigma", pattern: "[domain-name:value = 'a.example']" },
  ];
  for (const one of none) assert.equal(iocOf(one), undefined, one.pattern);
});

test("whatever the value is, the rule is one rule with the sid that it was given", () => {
  const values = [
    'http://e.example/"; sid:7;)\n',
    "http://e.example/a;b|c\\d:e",
    "http://e.example/ü%20",
    "http://e.example?x",
  ];
  for (const value of values) {
    const rule = parseRule(fillTemplate(DEFAULT_TEMPLATES.url[0] ?? "", { kind: "url", value }, 77));
    assert.ok(!("reason" in rule), value);
    assert.equal(rule.sid, 77);
  }
  const filled = fillTemplate("{host} {path} {text} {sid}", { kind: "url", value: "http://e.example/a;b" }, 7);
  assert.equal(filled, "e.example /a|3b|b http://e.example/a?b 7");
});

test("the rules of the sets have fixed sids of their own", () => {
  const rules = SETS.flatMap((set) => rulesOfSet(set, 1_000).map((rule) => ({ set, sid: rule.sid })));
  assert.deepEqual(
    rules.map(({ sid }) => sid),
    [1_000, 1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007],
  );
  for (const { set, sid } of rules) assert.equal(setOfSid(sid, 1_000), set);
  assert.equal(setOfSid(1_008, 1_000), undefined);
  assert.ok(rules.length <= SET_SIDS);
});

test("sids are given out in turn, and taken again after a restart", () => {
  const sids = new Sids(10, 14);
  assert.deepEqual(sids.take(2), [10, 11]);
  sids.release([10, 11]);
  assert.deepEqual(sids.take(2), [12, 13], "not at once again: an alert may still be on its way");
  assert.deepEqual(sids.take(3), [14, 10, 11]);
  assert.equal(sids.take(1), undefined);
  const again = new Sids(10, 14);
  assert.ok(again.retake([12, 13]));
  assert.ok(!again.retake([13, 14]) && !again.retake([9]));
  assert.deepEqual(again.take(1), [14]);
});

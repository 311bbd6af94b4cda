/** The rule language, and who owns a sid. The names in brackets are the defects of the Python app. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRules } from "../src/rules/parse.ts";
import { RuleBook } from "../src/rules/rule-book.ts";
import { composeRuleFile } from "../src/rules/rule-file.ts";
import { rule, ruleText } from "./support/samples.ts";

test("sid, rev and msg are found, whatever else the rule says", () => {
  const cases: readonly (readonly [options: string, sid: number, rev: number, msg: string])[] = [
    ['msg:"plain"; sid:10; rev:2;', 10, 2, "plain"],
    ["msg:bare; SID : 10 ; rev : 3 ;", 10, 3, "bare"],
    ['msg:"not \\"sid:1\\;\\" here\\: no"; sid:10;', 10, 0, 'not "sid:1;" here: no'],
    ['msg:"x"; content:"sid:7"; metadata:created 2024, sid 5; sid:10; rev:1;', 10, 1, "x"],
    ['msg:"brackets (sid:3)"; pcre:"/a\\;b/"; sid:4294967294; rev:1;', 4_294_967_294, 1, "brackets (sid:3)"],
  ];
  for (const [options, sid, rev, msg] of cases) {
    const { rules, errors } = parseRules(`alert tcp any any -> any any (${options})`);
    assert.deepEqual(errors, [], options);
    assert.deepEqual(
      rules.map((one) => [one.sid, one.rev, one.msg, one.gid]),
      [[sid, rev, msg, 1]],
    );
  }
});

test("what Suricata 7 refuses is refused: no sid, two of them, out of range, quoted, no last semicolon, too long", () => {
  const refused = [
    ['msg:"no sid"; rev:1;', "rule_without_sid"],
    // Its parser splits at every semicolon without a backslash, also inside quotes.
    ['msg:"TB; sid:55;"; sid:111;', "rule_unreadable"],
    ["sid:1; sid:2;", "rule_unreadable"],
    ["sid:0;", "rule_unreadable"],
    ["sid:1; rev:0;", "rule_unreadable"],
    ["sid:4294967295;", "rule_unreadable"],
    ['sid:"133";', "rule_unreadable"],
    ['msg:"x"; sid:132', "rule_unreadable"],
    [`content:"${"x".repeat(8_200)}"; sid:1;`, "rule_too_long"],
  ] as const;
  for (const [options, reason] of refused) {
    const { rules, errors } = parseRules(`alert tcp any any -> any any (${options})`);
    assert.deepEqual(rules, [], options);
    assert.deepEqual(
      errors.map((error) => error.reason),
      [reason],
      options,
    );
  }
  for (const text of [
    "nonsense",
    "alert tcp any any",
    "(sid:1;)",
    "alert (sid:1;)",
    "alert tcp any any -> any any (sid:1;) \u0000",
  ])
    assert.equal(parseRules(text).rules.length, 0, text);
});

test("a pattern may have several rules, comments, and lines that go on in the next [only the first was seen]", () => {
  const pattern = `# sid:9 in a comment\n${ruleText(10)}\r\n\n#${ruleText(11)}\nalert tcp any any \\\n  -> any any (msg:"long"; \\\n  sid:12; rev:1;)\n`;
  const { rules, errors } = parseRules(pattern);
  assert.deepEqual(errors, []);
  assert.deepEqual(
    rules.map(({ sid }) => sid),
    [10, 12],
  );
  for (const { text } of rules) assert.ok(!text.includes("\n"), text);
});

test("of two indicators with one sid the higher revision is used, and the other one takes over [one REMOVE took both]", () => {
  const book = new RuleBook();
  assert.deepEqual(book.set("a", [rule(1, 2)]), []);
  assert.deepEqual(book.set("b", [rule(1, 3)]), [{ sid: 1, used: "b", unused: "a" }]);
  assert.equal(book.owner("1:1")?.indicator, "b");
  book.remove("b");
  assert.equal(book.owner("1:1")?.indicator, "a");
  assert.deepEqual(book.set("c", [rule(1, 2)]), [{ sid: 1, used: "a", unused: "c" }], "of equal ones the first");
  book.remove("a");
  book.remove("c");
  assert.equal(book.size, 0);
});

test("sid 1 is not sid 10, 12 or 100 [no word boundary]", () => {
  const book = new RuleBook();
  for (const sid of [1, 10, 12, 100]) book.set(`i${sid}`, [rule(sid)]);
  book.remove("i1");
  assert.deepEqual(
    Array.from(book.used(), ({ sid }) => sid),
    [10, 12, 100],
  );
});

test("an older revision does not replace a newer one, an update that has other sids removes the old ones", () => {
  const book = new RuleBook();
  book.set("a", [rule(1, 5), rule(2)]);
  book.set("a", [rule(1, 4), rule(3)]);
  assert.deepEqual(
    Array.from(book.used(), ({ sid, rev }) => [sid, rev]),
    [
      [1, 5],
      [3, 1],
    ],
  );
});

test("foreign lines of the rule file stay as they are, also those that look like ours", () => {
  const foreign = `# by hand: sid:1\n${ruleText(7)}\n\n#${ruleText(8)}\n`;
  const first = composeRuleFile(foreign, [rule(1)]).content;
  assert.ok(first.startsWith(foreign));
  assert.match(first, /^# threatbus: begin/m);
  const second = composeRuleFile(`${first}# behind\n`, [rule(2)]).content;
  assert.ok(second.startsWith(`${foreign}# behind\n`));
  assert.ok(!second.includes(ruleText(1)));
  assert.equal(composeRuleFile(second, [rule(2)]).content, second, "the same again changes nothing");
});

test("a file of the Python app is taken over; a foreign line with a sid of ours holds back all but a higher revision", () => {
  const { content } = composeRuleFile(`${ruleText(1)}\n${ruleText(2, 1)}\n${ruleText(3, 9)}\n`, [
    rule(1),
    rule(2, 2),
    rule(3),
  ]);
  assert.equal(content.split(ruleText(1)).length, 2, "once");
  assert.ok(content.includes(ruleText(2, 1)) && content.includes(ruleText(2, 2)));
  const { heldBack } = composeRuleFile(`${ruleText(3, 9)}\n`, [rule(3)]);
  assert.deepEqual(heldBack, [rule(3)]);
});

test("when the end mark is gone nothing of others is lost", () => {
  const { content } = composeRuleFile("# mine\n", [rule(1)]);
  const damaged = `${content.replace(/# threatbus: end\n/, "")}${ruleText(7)}\n`;
  const repaired = composeRuleFile(damaged, [rule(1)]).content;
  assert.equal(repaired.split(ruleText(1)).length, 2);
  assert.ok(repaired.includes(ruleText(7)) && repaired.includes("# mine"));
});

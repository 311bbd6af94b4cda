/** What rules of indicators may do: whoever may publish on the bus writes them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { settingsSchema } from "../src/options.ts";
import { parseRule } from "../src/rules/parse.ts";
import { type RulePolicy, refusalOf } from "../src/rules/policy.ts";
import { EVERYTHING } from "./support/samples.ts";

const { rule_actions, rule_options, rule_sids } = settingsSchema.parse({ socket: "/s", rules_file: "/r" });
const USUAL: RulePolicy = { actions: rule_actions, options: rule_options, sids: rule_sids };

function refusal(text: string, policy = USUAL): string | undefined {
  const rule = parseRule(text);
  assert.ok(!("reason" in rule), text);
  return refusalOf(rule, policy);
}

function withOption(option: string): string {
  return `alert tcp any any -> any any (msg:"x"; ${option}; sid:1; rev:1;)`;
}

test("without a setting rules alert, and do no more", () => {
  assert.equal(refusal("alert ip any any -> any any (sid:1;)"), undefined);
  assert.equal(refusal("ALERT ip any any -> any any (sid:1;)"), undefined);
  for (const action of ["pass", "drop", "DROP", "reject", "rejectboth", "config", "unheard"]) {
    assert.match(refusal(`${action} ip any any -> any any (sid:1;)`) ?? "", /^action /, action);
  }
  assert.equal(refusal("drop ip any any -> any any (sid:1;)", { ...USUAL, actions: ["alert", "drop"] }), undefined);
  assert.match(refusal("unheard ip any any -> any any (sid:1;)", EVERYTHING) ?? "", /^action /);
});

test("options that run scripts, touch files or packets, or blind Suricata are refused, however they are written", () => {
  const refused = [
    "lua:evil.lua",
    " LUA : !evil.lua",
    "luajit:evil.lua",
    'content:"a"; luaxform:evil.lua',
    "dns.query; dataset:isset,x,type string,load /etc/passwd",
    "dns.query; dataset:set,x,type string,save ../../x",
    "dns.query; dataset : set , x , type string , STATE /tmp/x",
    "dns.query; datarep:x, >, 1, load /etc/passwd, type string",
    "filemd5:/etc/passwd",
    "filesha1:!x",
    "filesha256:x",
    "filestore",
    "tls.store",
    "tls_store",
    'content:"a"; replace:"b"',
    "nfq_set_mark:0x1/0x1",
    "bypass",
  ];
  for (const option of refused) {
    assert.match(refusal(withOption(option)) ?? "", /^option /, option);
    assert.equal(refusal(withOption(option), EVERYTHING), undefined, option);
  }
  const harmless = [
    'content:"lua:evil.lua"',
    'content:"dataset:set,x,load /x"',
    "dns.query; dataset:set,seen,type string,memcap 1mb",
    "dns.query; dataset:isset,loaded,type string",
    'filename:"a"',
    "noalert",
  ];
  for (const option of harmless) assert.equal(refusal(withOption(option)), undefined, option);
});

test("what this program keeps in datasets no rule of an indicator changes", () => {
  const option = 'dns.query; dataset:unset,"threatbus-domain",type string';
  assert.equal(refusal(withOption(option), EVERYTHING), "a dataset of this program");
});

test("sids can be kept apart from those of other sources", () => {
  const policy = { ...USUAL, sids: { first: 9_000_000, last: 9_999_999 } };
  assert.equal(refusal("alert ip any any -> any any (sid:2000001; rev:4294967295;)", policy), "sid 2000001");
  assert.equal(refusal("alert ip any any -> any any (sid:9000000;)", policy), undefined);
});

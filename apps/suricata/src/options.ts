import { sharedSettings } from "@threatbus/connector";
import { z } from "zod";
import { SET_SIDS } from "./iocs/sets.ts";
import { DEFAULT_TEMPLATES, fillTemplate, type TemplateKind } from "./iocs/templates.ts";
import { parseRule } from "./rules/parse.ts";
import { ACTIONS, RISKY_OPTIONS } from "./rules/policy.ts";

const path = z.string().min(1).max(4_096);
const SAMPLES: Readonly<Record<TemplateKind, string>> = {
  ip: "198.51.100.3",
  network: "198.51.100.0/24",
  domain: "evil.example",
  url: "http://evil.example/a",
};

/** The templates of one kind: each must be a rule when it is filled in, with the sid that it is given. */
function templates(kind: TemplateKind, what: string) {
  const isRule = (template: string): boolean => {
    const rule = parseRule(fillTemplate(template, { kind, value: SAMPLES[kind] }, 1_234_567));
    return !("reason" in rule) && rule.sid === 1_234_567;
  };
  return z
    .array(z.string().max(8_000).refine(isRule, "expected one Suricata rule that has sid:{sid};"))
    .min(1)
    .max(8)
    .default([...DEFAULT_TEMPLATES[kind]])
    .describe(
      `Rules for ${what}. \`{value}\`, \`{text}\` (for msg)${kind === "url" ? ", `{host}`, `{path}`" : ""} and \`{sid}\` are filled in.`,
    );
}

const ruleTemplates = z.strictObject({
  ip: templates("ip", "one address"),
  network: templates("network", "a network such as 198.51.100.0/24"),
  domain: templates("domain", "one domain"),
  url: templates("url", "one URL"),
});

const MAX_SID = 4_294_967_294;
const sid = z.int().min(1).max(MAX_SID);
const sids = z
  .strictObject({
    first: sid.default(1_500_000).describe("First sid for rules that this program makes itself."),
    last: sid.default(1_999_999).describe("Last sid for rules that this program makes itself."),
  })
  .refine(({ first, last }) => last - first >= SET_SIDS + 8, "expected last to be at least 24 more than first");

const ruleSids = z
  .strictObject({
    first: sid.default(1).describe("First sid that a rule of an indicator may have."),
    last: sid.default(MAX_SID).describe("Last sid that a rule of an indicator may have."),
  })
  .refine(({ first, last }) => last >= first, "expected last to be first or more");

const eve = z.strictObject({
  file: path.describe("Log file of Suricata's `eve-log` output, with the type `alert` in it."),
  from: z
    .enum(["end", "start"])
    .default("end")
    .describe("Where to begin in a log that was never read before; later it goes on where it was."),
  interval: z
    .int()
    .min(0)
    .max(86_400)
    .default(60)
    .describe(
      "Seconds: the first alert of an indicator is reported at once, those that follow within so long as one sighting; 0: each by itself.",
    ),
  context_bytes: z
    .int()
    .min(512)
    .max(1_048_576)
    .default(16_384)
    .describe(
      "Longest event, in bytes of JSON, that a sighting has in `x_threatbus_sighting_context`; longer ones are cut.",
    ),
});

export const settingsSchema = z.strictObject({
  ...sharedSettings({ httpPort: 13382 }),
  socket: path.describe("Suricata's command socket, such as `/var/run/suricata/suricata-command.socket`."),
  rules_file: path.describe(
    "Rule file that Suricata loads. It is made if it is missing; only what is between the marks of this program is changed. The files of the sets are put beside it.",
  ),
  reload_interval: z
    .int()
    .min(1)
    .max(86_400)
    .default(60)
    .describe("Seconds from one reload of Suricata's rules to the next, and to another try when Suricata is away."),
  reload_with: z
    .enum(["auto", "socket", "suricatasc"])
    .default("auto")
    .describe("How Suricata is told to reload; `auto`: over the socket, and with suricatasc where that fails."),
  suricatasc: path.default("suricatasc").describe("Suricata's own client for its command socket."),
  rule_actions: z
    .array(z.enum(ACTIONS))
    .min(1)
    .default(["alert"])
    .describe(
      "Actions that rules of indicators may have. Everybody who may publish indicators writes such rules: `pass` makes Suricata blind, `drop` and `reject` stop traffic. suricata-threatbus took all of them.",
    ),
  rule_options: z
    .array(z.enum(RISKY_OPTIONS))
    .default([])
    .describe(
      "Options that rules of indicators may have although they do more than look at traffic: run scripts, read or write files of the sensor (`dataset`: those with `load`, `save` or `state`), change packets, have Suricata look away. Rules with others of these are refused.",
    ),
  rule_sids: ruleSids.prefault({}),
  point_iocs: z
    .preprocess((value) => (value === false ? "off" : value), z.enum(["off", "datasets", "rules"]))
    .default("off")
    .describe(
      "What becomes of STIX indicators of one value: nothing; an entry of a dataset (Suricata 7 or newer; networks and URLs become rules); or rules made from `rule_templates`. Hashes of files go into lists in both cases.",
    ),
  sids: sids.prefault({}),
  rule_templates: ruleTemplates.prefault({}),
  eve: eve.optional(),
});
export type Settings = z.output<typeof settingsSchema>;

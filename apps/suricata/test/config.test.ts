/** The configuration, and what is installed with the program. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { settingsSchema } from "../src/options.ts";
import { folder } from "./support/programs.ts";

const HERE = resolve(import.meta.dirname, "..");
const PROGRAM = join(HERE, "bin/threatbus-suricata.ts");
const check = (file: string) => promisify(execFile)(process.execPath, [PROGRAM, "check-config", "-c", file]);

test("the example and the one of the README are free of errors", async (t) => {
  const example = join(HERE, "config.example.yaml");
  assert.match((await check(example)).stdout, /no errors/);
  const [, inReadme] = /```yaml\n(.*?)```/s.exec(readFileSync(join(HERE, "README.md"), "utf8")) ?? [];
  assert.ok(inReadme);
  const file = join(await folder(t), "config.yaml");
  await writeFile(file, inReadme);
  assert.match((await check(file)).stdout, /no errors/);
});

test("a configuration of the Python app is taken as it is", async (t) => {
  const file = join(await folder(t), "config.yaml");
  await writeFile(
    file,
    `logging:
  console: true
  console_verbosity: DEBUG
  file: false
  file_verbosity: DEBUG
  filename: suricata-threatbus.log
threatbus: localhost:13370
snapshot: 30
socket: /var/run/suricata/suricata-command.socket
rules_file: /var/lib/suricata/rules/threatbus.rules
reload_interval: 60
`,
  );
  assert.match((await check(file)).stdout, /no errors/);
});

test("what makes no sense is refused: no socket, a template that is no rule, a range without room", () => {
  const usual = { socket: "/s", rules_file: "/r" };
  assert.ok(settingsSchema.safeParse(usual).success);
  assert.equal(settingsSchema.parse({ ...usual, point_iocs: false }).point_iocs, "off");
  const refused = [
    { rules_file: "/r" },
    { ...usual, point_iocs: "all" },
    { ...usual, sids: { first: 10, last: 20 } },
    { ...usual, rule_templates: { domain: ["alert dns any any -> any any (sid:1;)"] } },
    { ...usual, rule_templates: { domain: ["nonsense {sid}"] } },
    { ...usual, reload_interval: 0 },
  ];
  for (const settings of refused)
    assert.equal(settingsSchema.safeParse(settings).success, false, JSON.stringify(settings));
});

test("the unit and the container start the program by its name", () => {
  const { bin, name } = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8"));
  const [program = ""] = Object.keys(bin);
  const [, started = ""] = /^ExecStart=(\S+)/m.exec(readFileSync(join(HERE, `${program}.service`), "utf8")) ?? [];
  assert.equal(basename(started), program);
  const container = readFileSync(join(HERE, "Containerfile"), "utf8");
  assert.ok(container.includes(`ENTRYPOINT ["${program}"`) && container.includes(name));
});

import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { findLauncher, interpreterOf } from "../src/launcher.ts";
import { redactor } from "../src/redact.ts";
import { folder, STUB } from "./support/stub.ts";

test("the interpreter of a script is read from its first lines", () => {
  assert.deepEqual(interpreterOf("#!/srv/venv/bin/python3\n# -*- coding"), ["/srv/venv/bin/python3"]);
  assert.deepEqual(interpreterOf("#!/srv/venv/bin/python3.12\nimport re"), ["/srv/venv/bin/python3.12"]);
  assert.deepEqual(interpreterOf("#!/usr/bin/env python3\nimport re"), ["/usr/bin/env", "python3"]);
  const long = "#!/bin/sh\n'''exec' \"/srv/with space/bin/python\" \"$0\" \"$@\"\n' '''\nimport re";
  assert.deepEqual(interpreterOf(long), ["/srv/with space/bin/python"]);
  assert.deepEqual(interpreterOf(long.replaceAll(/"(?=\/)|(?<=python)"/g, "").replace(" space", "")), [
    "/srv/with/bin/python",
  ]);
  for (const other of ["#!/bin/sh\nexec docker run shifter", "\x7fELF", "", "#!/bin/bash\n"]) {
    assert.equal(interpreterOf(other), undefined);
  }
});

test("arguments of a Python script go through standard input", async () => {
  const { program, args, input } = (await findLauncher(STUB, false)).command(["transmit", "secret"]);
  assert.ok(![program, ...args].join(" ").includes("secret"));
  assert.equal(input, '["transmit","secret"]');
});

test("a program of another kind gets them as arguments only where that is allowed", async (t) => {
  const wrapper = join(await folder(t), "stix-shifter");
  await writeFile(wrapper, "#!/bin/sh\n");
  await assert.rejects(findLauncher(wrapper, false), /there is no program/);
  await chmod(wrapper, 0o755);
  await assert.rejects(findLauncher(wrapper, false), /credentials_in_arguments/);
  assert.deepEqual((await findLauncher(wrapper, true)).command(["modules"]), { program: wrapper, args: ["modules"] });
});

test("a program that is missing is an error that says what to do", async () => {
  await assert.rejects(findLauncher("no-such-stix-shifter", false), /pip install stix-shifter/);
});

test("secrets are hidden in whatever STIX-Shifter says, as text and inside JSON", () => {
  const redact = redactor({
    transmission: { auth: { username: "reader", password: 'a"b\\c' }, tokens: ["t0k3n", 7] },
    connection: { host: "splunk.example", api_key: "k3y-k3y", options: { timeout: 30 } },
  });
  const told = redact(
    `splunk.example reader a"b\\c ${JSON.stringify('a"b\\c')} t0k3n k3y-k3y https://u:p@host/ \u001b[31mred\u001b[0m\u0007`,
  );
  assert.equal(told, 'splunk.example (hidden) (hidden) "(hidden)" (hidden) (hidden) https://(hidden)@host/ red\\u0007');
  assert.ok(redact("x".repeat(10_000)).length < 600);
  assert.equal(redact("https://host/?key=a%22b%5Cc"), "https://host/?key=(hidden)");
  // Where a text is cut must not lie inside a secret: half of one is not found.
  const long = redact(`${"x".repeat(900)}a"b\\c${"y".repeat(497)}`, "last");
  assert.ok(!long.includes("c"), long);
});

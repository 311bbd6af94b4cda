import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { nkeys } from "@nats-io/transport-node";
import { createMessageFactory } from "@threatbus/core";
import { eventually, indicator } from "@threatbus/testkit";
import { natsForTest, natsMissing } from "../../../../scripts/services/nats-for-tests.ts";
import { CURRENT, currentMissing } from "./current.ts";
import { logText, type Running, start } from "./instance.ts";
import { other } from "./server.ts";

const skip = (await natsMissing()) ?? false;
const skipCurrent = (await currentMissing()) ?? false;
const PAGE = readFileSync(join(import.meta.dirname, "../../../../docs/plugins/nats.md"), "utf8");
/** The users of the documentation, as a person would paste them. */
const USERS = /```conf\n([\s\S]*?)```/.exec(PAGE)?.[1] ?? "";
const SENSOR = { user: "sensor1", password: "change-me", instance: "sensor1" };
const ADMIN = { user: "admin", pass: "change-me-too" };

/** A server with these users and a stream that the administrator has made. */
async function guarded(t: TestContext, users: string, program?: string): Promise<string> {
  const settings = [users];
  const server = await natsForTest(t, program === undefined ? { settings } : { settings, program });
  const { jsm } = await other(t, { servers: server.url, ...ADMIN });
  await jsm.streams.add({ name: "THREATBUS", subjects: ["threatbus.>"] });
  return server.url;
}

async function carries({ inq, record }: Running): Promise<void> {
  const queue = await record("stix2");
  const message = createMessageFactory("a").stix(indicator());
  await inq.put(message);
  await eventually("the message", () => queue.count === 1);
  await inq.join();
}

test("a user with the rights of the documentation can run an instance, also again", { skip }, async (t) => {
  const servers = await guarded(t, USERS);
  const first = await start(t, { servers, ...SENSOR });
  await carries(first);
  const { jsm } = await other(t, { servers, ...ADMIN });
  await eventually(
    "all acknowledged",
    async () => (await jsm.consumers.info("THREATBUS", "sensor1")).num_ack_pending === 0,
  );
  await first.plugin.stop();
  const second = await start(t, { servers, ...SENSOR });
  await carries(second);
  assert.equal(logText(second.logger).includes("change-me"), false, "the password is in no log line");
});

test("the same user with a current server, whose consumers have several filters", { skip: skipCurrent }, async (t) => {
  const servers = await guarded(t, USERS, CURRENT);
  const running = await start(t, { servers, ...SENSOR });
  for (const topic of ["threatbus/snapshotrequest", "threatbus/snapshotenvelope", "stix2/indicator"])
    await running.record(topic);
  await carries(running);
});

const RIGHTS = [...(/publish: \[([\s\S]*?)\]/.exec(USERS)?.[1] ?? "").matchAll(/"([^"]+)"/g)].map(
  (match) => match[1] ?? "",
);

for (const right of RIGHTS) {
  // A consumer with several filters is created with this subject; only newer servers know several.
  const isForSeveral = right.includes("DURABLE");
  test(`without the right to publish to ${right} that is said`, {
    skip: isForSeveral ? skipCurrent : skip,
  }, async (t) => {
    const servers = await guarded(t, USERS.replace(`"${right}"`, ""), isForSeveral ? CURRENT : undefined);
    const { plugin, inq, record } = await start(t, { servers, ...SENSOR });
    await record(isForSeveral ? "stix2" : "stix2/indicator");
    await inq.put(createMessageFactory("a").stix(indicator()));
    const missing = right.replace(/>$/, "");
    const said = () => plugin.state?.text.includes(`no right to publish to ${missing}`) === true && !plugin.state.ok;
    await eventually("the reason", said);
  });
}

test("without the right to subscribe that is said", { skip }, async (t) => {
  const servers = await guarded(t, USERS.replace("_INBOX_threatbus.sensor1.>", "elsewhere"));
  const { plugin } = await start(t, { servers, ...SENSOR });
  await eventually("the reason", () => /no right to subscribe to _INBOX_threatbus/.test(plugin.state?.text ?? ""));
});

test("a refused user: the reason is said without the password, and it is tried again", { skip }, async (t) => {
  const servers = await guarded(t, USERS);
  const { plugin, logger } = await start(t, { servers, ...SENSOR, password: "wrong-secret" });
  await eventually("the reason", () => /refuses to log in/.test(plugin.state?.text ?? ""));
  assert.equal(plugin.state?.ok, false);
  assert.equal(logText(logger).includes("wrong-secret"), false);
});

test("a token", { skip }, async (t) => {
  const server = await natsForTest(t, { settings: ['authorization { token: "s3cret" }'] });
  await carries(await start(t, { servers: server.url, token: "s3cret" }));
});

test("the seed of an NKey in a file", { skip }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "threatbus-nkey-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const pair = nkeys.createUser();
  const nkey_file = join(folder, "seed");
  await writeFile(nkey_file, `${Buffer.from(pair.getSeed()).toString()}\n`, { mode: 0o600 });
  const server = await natsForTest(t, { settings: [`authorization { users: [{ nkey: ${pair.getPublicKey()} }] }`] });
  const running = await start(t, { servers: server.url, nkey_file });
  await carries(running);
  const missing = await start(t, { servers: server.url, nkey_file: join(folder, "none"), instance: "second" });
  await eventually("the reason", () => /ENOENT/.test(missing.plugin.state?.text ?? ""));
});

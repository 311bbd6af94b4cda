import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createMessageFactory } from "@threatbus/core";
import { eventually, indicator } from "@threatbus/testkit";
import { natsForTest, natsMissing } from "../../../../scripts/services/nats-for-tests.ts";
import { start } from "./instance.ts";

const skip = (await natsMissing()) ?? false;
const file = (name: string): string => join(import.meta.dirname, "certificates", name);
const SERVER_TLS = `tls { cert_file: "${file("server.pem")}", key_file: "${file("server.key")}", ca_file: "${file("ca.pem")}", verify: true }`;
const TLS = { ca: file("ca.pem"), cert: file("client.pem"), key: file("client.key") };

test("both sides show certificates", { skip }, async (t) => {
  const server = await natsForTest(t, { settings: [SERVER_TLS] });
  const { inq, record } = await start(t, { servers: `tls://127.0.0.1:${server.port}`, tls: TLS });
  const queue = await record("stix2");
  await inq.put(createMessageFactory("a").stix(indicator()));
  await eventually("the message", () => queue.count === 1);
});

const REFUSED = {
  "a server whose CA is unknown": { cert: TLS.cert, key: TLS.key },
  "no certificate where the server wants one": { ca: TLS.ca },
  "a file that is not there": { ...TLS, ca: file("none.pem") },
};

for (const [name, tls] of Object.entries(REFUSED)) {
  test(`${name}: no connection, and the reason is said`, { skip }, async (t) => {
    const server = await natsForTest(t, { settings: [SERVER_TLS] });
    const { plugin } = await start(t, { servers: server.url, tls });
    assert.equal(plugin.state?.ok, false);
    await eventually("a reason", () => /^not connected to .*: ./.test(plugin.state?.text ?? ""));
    t.diagnostic(plugin.state?.text ?? "");
  });
}

test("with `tls` nothing is said to a server without it", { skip }, async (t) => {
  const server = await natsForTest(t);
  const { plugin } = await start(t, { servers: server.url, tls: {}, user: "u", password: "p" });
  assert.match(plugin.state?.text ?? "", /server does not support 'tls'/);
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "@threatbus/testkit";
import type { MutualTls } from "@threatbus/zeek-broker";
import { domainMessage } from "./bus.ts";
import { Harness, startPlugin } from "./harness.ts";

const file = (name: string) =>
  fileURLToPath(new URL(`../../../../packages/zeek-broker/test/certificates/${name}`, import.meta.url));
const OURS = { cert: file("a.pem"), key: file("a.key"), ca: file("ca.pem") };

function identity(name: string): MutualTls {
  const [cert, key, ca] = [`${name}.pem`, `${name}.key`, "ca.pem"].map((each) => readFileSync(file(each)));
  assert.ok(cert !== undefined && key !== undefined && ca !== undefined);
  return { cert, key, ca };
}

test("mutual TLS: a Zeek with a certificate of the CA gets its indicators", async (t) => {
  const harness = await startPlugin(t, { config: { tls: OURS } });
  const zeek = harness.zeek(t, { tls: identity("b") });
  await eventually("the subscription", () => harness.bus.outqs.size === 1);
  harness.bus.deliver(domainMessage("evil.example"));
  await eventually("the indicator", () => zeek.received.length === 1);
});

test("mutual TLS: strangers, anonymous and plain connections are refused, and counted", async (t) => {
  const harness = await startPlugin(t, { config: { tls: OURS } });
  const refused = () => harness.bus.metric("threatbus_zeek_connections_closed_total");
  for (const tls of [identity("stranger"), "anonymous", "off"] as const) {
    const before = await refused();
    const zeek = harness.zeek(t, { tls });
    await eventually("the refusal", async () => (await refused()) > before);
    assert.equal(zeek.bus, undefined);
    await zeek.close();
  }
  assert.equal(harness.bus.outqs.size, 0);
});

test("tls off: only plain connections peer", async (t) => {
  const harness = await startPlugin(t, { config: { tls: "off" } });
  const encrypted = harness.zeek(t, { tls: "anonymous" });
  const plain = harness.zeek(t, { tls: "off" });
  await eventually("the subscription", () => plain.p2pTopics.length === 1);
  await eventually(
    "the refusal",
    async () => (await harness.bus.metric("threatbus_zeek_connections_closed_total")) > 0,
  );
  assert.equal(encrypted.bus, undefined);
});

test("a certificate that cannot be read is an error that names the setting", async () => {
  const harness = new Harness({ config: { tls: { ...OURS, key: file("missing.key") } } });
  await assert.rejects(harness.start(), /plugins\.apps\.zeek\.tls\.key cannot be read: ENOENT/);
});

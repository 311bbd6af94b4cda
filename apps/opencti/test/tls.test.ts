/** OpenCTI behind TLS, with certificates of an authority that nobody knows but the test. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createServer } from "node:tls";
import { fileURLToPath } from "node:url";
import { eventually } from "@threatbus/testkit";
import { GraphqlClient, HttpTransport, OpenctiApi } from "../src/graphql/index.ts";
import { createAgent, type TlsSettings } from "../src/stream/agent.ts";
import { createGraphqlHandler } from "./stand-in/graphql.ts";
import { openctiIndicator } from "./stand-in/indicators.ts";
import { OpenctiStandIn } from "./stand-in/server.ts";
import { type Reader, startReader, TOKEN, temporaryFolder } from "./support.ts";

const certificate = (name: string): string =>
  fileURLToPath(new URL(`../../../packages/zeek-broker/test/certificates/${name}`, import.meta.url));

interface Site {
  readonly opencti: OpenctiStandIn;
  /** `https://127.0.0.1:...` */
  readonly url: string;
}

/** @param signed name of the certificate that OpenCTI shows */
async function startSite(t: TestContext, signed: string): Promise<Site> {
  const opencti = new OpenctiStandIn({ graphql: createGraphqlHandler });
  opencti.state.addUser(TOKEN);
  await opencti.listen();
  t.after(() => opencti.close());
  const files = { cert: readFileSync(certificate(`${signed}.pem`)), key: readFileSync(certificate(`${signed}.key`)) };
  const front = createServer(files, (outer) => {
    const inner = connect(opencti.port, "127.0.0.1");
    outer.on("error", () => inner.destroy()).on("close", () => inner.destroy());
    inner.on("error", () => outer.destroy()).on("close", () => outer.destroy());
    outer.pipe(inner).pipe(outer);
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  t.after(() => front.close());
  return { opencti, url: `https://127.0.0.1:${(front.address() as AddressInfo).port}` };
}

/** Reads the stream, and asks over GraphQL who it is. */
async function speak(
  t: TestContext,
  { opencti, url }: Site,
  settings: TlsSettings,
): Promise<{ reader: Reader; me: Promise<unknown> }> {
  const dispatcher = await createAgent(settings);
  t.after(() => dispatcher.destroy());
  const reader = await startReader(t, opencti, { url, agent: await createAgent(settings) });
  const client = new GraphqlClient(new HttpTransport({ url, token: TOKEN, dispatcher }), { attempts: 1 });
  return { reader, me: new OpenctiApi(client).me(new AbortController().signal) };
}

async function assertWorks(t: TestContext, site: Site, settings: TlsSettings): Promise<void> {
  const { reader, me } = await speak(t, site, settings);
  await me;
  await eventually("connected", () => reader.health.connected);
  const data = openctiIndicator();
  site.opencti.state.emit({ event: "create", data });
  await eventually("accepted", () => reader.accepted.some(([id]) => id === data.id));
}

async function assertRefused(t: TestContext, site: Site, settings: TlsSettings, why: RegExp): Promise<void> {
  const { reader, me } = await speak(t, site, settings);
  await assert.rejects(me, why);
  await eventually("it is said", () => why.test(reader.health.detail));
  assert.equal(reader.health.connected, false);
  assert.deepEqual(site.opencti.requests, [], "the token is not shown to it");
}

test("with the authority that signed it, a certificate is good for the stream and for GraphQL", async (t) => {
  await assertWorks(t, await startSite(t, "a"), { ssl_verify: true, ca: certificate("ca.pem") });
});

test("a certificate of an authority that the system does not know is refused, and the setting named", async (t) => {
  await assertRefused(t, await startSite(t, "a"), { ssl_verify: true }, /opencti\.ca/);
});

test("one that another authority has signed is refused", async (t) => {
  const settings = { ssl_verify: true, ca: certificate("ca.pem") };
  await assertRefused(t, await startSite(t, "stranger"), settings, /opencti\.ca/);
});

test("without verification any certificate will do", async (t) => {
  await assertWorks(t, await startSite(t, "stranger"), { ssl_verify: false });
});

test("a file of certificates that cannot be read, or has none, is named at the start", async (t) => {
  const path = join(await temporaryFolder(t), "ca.pem");
  await assert.rejects(createAgent({ ssl_verify: true, ca: path }), /opencti\.ca: .*ca\.pem cannot be read/);
  await writeFile(path, "no certificate");
  await assert.rejects(createAgent({ ssl_verify: true, ca: path }), /opencti\.ca: .*ca\.pem has no certificate/);
});

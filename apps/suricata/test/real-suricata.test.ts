/** The whole way with a real bus and a real Suricata on the loopback interface. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { eventually } from "@threatbus/testkit";
import { startBusSide, startConnector } from "./support/processes.ts";
import { folder } from "./support/programs.ts";
import { idOf, pointIndicator, ruleIndicator, ruleText } from "./support/samples.ts";
import { noSuricata, startSuricata } from "./support/suricata.ts";

const skip = (await noSuricata()) ?? false;
const BAD_ADDRESS = "127.66.0.9";
const BODY = "not a good file";

for (const mode of ["datasets", "rules"] as const) {
  test(`${mode}: what the bus knows Suricata sees, and what it sees the bus hears`, {
    skip,
    timeout: 170_000,
  }, async (t) => {
    const cwd = await folder(t);
    const side = await startBusSide(t);
    const traffic = await makeTraffic(t);
    const settings = {
      threatbus: side.endpoint,
      socket: join(cwd, "command.socket"),
      rules_file: join(cwd, "threatbus.rules"),
      reload_interval: 1,
      point_iocs: mode,
      eve: { file: join(cwd, "log", "eve.json"), from: "start", interval: 3_600 },
    };
    await side.publish(
      ruleIndicator(1, ruleText(900_001, 1, "byrule.example")),
      pointIndicator(2, "domain-name:value", "Evil.Example"),
      pointIndicator(3, "ipv4-addr:value", BAD_ADDRESS),
      pointIndicator(4, "file:hashes.'SHA-256'", createHash("sha256").update(BODY).digest("hex")),
      pointIndicator(5, "url:value", "http://files.example/a;b%20c?x=1"),
    );
    const connector = await startConnector(t, cwd, settings);
    const suricata = await startSuricata(t, { folder: cwd, ...traffic });
    const seen = (number: number) => side.sightings.some((one) => one.sighting_of_ref === idOf(number));
    const until = async (number: number, send: () => Promise<void>) => {
      await eventually(`a sighting of indicator ${number}`, async () => {
        if (!seen(number)) await send();
        return seen(number);
      });
    };
    await connector.child.line(/Suricata has reloaded its rules/);

    await until(1, () => traffic.dns("byrule.example"));
    await until(2, () => traffic.dns("EVIL.example"));
    await until(3, () => traffic.dns("harmless.example", BAD_ADDRESS));
    await until(4, () => traffic.http("harmless.example", "/"));
    await until(5, () => traffic.http("files.example", "/a;b%20c?x=1"));
    // The other places where a domain is seen.
    await side.publish(
      pointIndicator(6, "domain-name:value", "tls.example"),
      pointIndicator(7, "domain-name:value", "web.example"),
    );
    await until(6, () => traffic.tls("tls.example"));
    await until(7, () => traffic.http("Web.Example", "/"));
    const metrics = await connector.metrics();
    assert.match(metrics, /threatbus_suricata_rules_failed 0\n/);
    assert.equal((await connector.health()).status, "ok");
    for (const sighting of side.sightings) {
      assert.ok(sighting.last_seen && sighting.x_threatbus_sighting_context, JSON.stringify(sighting));
    }

    if (mode === "rules") return;
    const domain = Buffer.from("web.example").toString("base64");
    assert.ok(await suricata.has("threatbus-domain", "string", domain));
    await side.publish(pointIndicator(7, "domain-name:value", "web.example", { x_threatbus_update: "REMOVE" }));
    await eventually("it is gone", async () => !(await suricata.has("threatbus-domain", "string", domain)));
    // A Suricata that starts again has what is in the files.
    await suricata.child.stop("SIGKILL");
    await side.publish(pointIndicator(8, "ipv6-addr:value", "2001:DB8:0::8"));
    const again = await startSuricata(t, { folder: cwd, ...traffic });
    await eventually("the new one is there", () => again.has("threatbus-ip", "ip", "2001:db8::8"));
    assert.ok(await again.has("threatbus-ip", "ip", BAD_ADDRESS));
    assert.ok(!(await again.has("threatbus-domain", "string", domain)));
  });
}

interface Traffic {
  readonly filter: string;
  readonly dnsPort: number;
  dns(name: string, to?: string): Promise<void>;
  http(host: string, path: string): Promise<void>;
  tls(name: string): Promise<void>;
}

async function makeTraffic(t: TestContext): Promise<Traffic> {
  const resolver = createSocket("udp4").bind(0, "0.0.0.0");
  const web = createServer((_, response) => response.end(BODY)).listen(0, "127.0.0.1");
  const sink = createTcpServer((socket) => socket.on("error", () => undefined).resume()).listen(0, "127.0.0.1");
  await Promise.all([resolver, web, sink].map((server) => once(server, "listening")));
  t.after(() => {
    resolver.close();
    web.close();
    web.closeAllConnections();
    sink.close();
  });
  const dnsPort = portOf(resolver);
  const webPort = portOf(web);
  const tlsPort = portOf(sink);
  return {
    filter: `port ${dnsPort} or port ${webPort} or port ${tlsPort}`,
    dnsPort,
    async dns(name, to = "127.0.0.1") {
      const socket = createSocket("udp4");
      await new Promise<void>((resolve, reject) =>
        socket.send(question(name), dnsPort, to, (error) => (error ? reject(error) : resolve())),
      );
      socket.close();
    },
    async http(host, path) {
      const socket = connect(webPort, "127.0.0.1");
      socket.end(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      socket.resume();
      await once(socket, "close");
    },
    async tls(name) {
      const raw = connect(tlsPort, "127.0.0.1");
      const socket = connectTls({ socket: raw, servername: name }).on("error", () => undefined);
      // Nobody answers: the greeting is all that is wanted.
      await once(raw, "connect");
      await eventually("the greeting is sent", () => raw.bytesWritten > 100);
      socket.destroy();
      raw.destroy();
    },
  };
}

function portOf(server: { address(): ReturnType<Socket["address"]> | string | null }): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A DNS question for the A record of a name (RFC 1035 section 4). */
function question(name: string): Buffer {
  const labels = name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  const header = Buffer.from("123401000001000000000000", "hex");
  return Buffer.concat([header, ...labels, Buffer.from("0000010001", "hex")]);
}

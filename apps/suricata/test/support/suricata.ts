/** A real Suricata that listens on the loopback interface, for one test. */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { eventually } from "@threatbus/testkit";
import { aptInstallBackports } from "../../../../scripts/apt.ts";
import type { Child } from "../../../../scripts/child.ts";
import { run } from "../../../../scripts/run-command.ts";
import { CommandSocket } from "../../src/suricata/command-socket.ts";
import { start } from "./programs.ts";

const PROGRAM = "/usr/bin/suricata";

/** Datasets of addresses, and what the tests know of eve.json. */
const LEAST_VERSION = 7;

/**
 * Installs Suricata where that is possible; the service of the package stays off.
 * @returns why there is none
 * @throws Error saying why, in continuous integration
 */
export async function noSuricata(): Promise<string | undefined> {
  const why = await whyNone().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  if (why === undefined || process.env.CI !== "true") return why;
  throw new Error(`the tests with a real Suricata cannot be run: ${why}`);
}

async function whyNone(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "not root: Suricata may not listen on an interface";
  if ((await version()) >= LEAST_VERSION) return undefined;
  await aptInstallBackports(["suricata"], () => undefined);
  // It would listen on all interfaces when the machine starts the next time.
  await run("systemctl", ["disable", "suricata.service"]);
  const now = await version();
  return now >= LEAST_VERSION ? undefined : `Suricata ${LEAST_VERSION} is needed, this is ${now}`;
}

/** The major version; 0 where there is none. */
async function version(): Promise<number> {
  const { code, output } = await run(PROGRAM, ["-V"], { timeout: 30_000 });
  return code === 0 ? Number(/version (\d+)\./.exec(output)?.[1] ?? 0) : 0;
}

export interface SuricataPlace {
  readonly folder: string;
  /** What is listened to, as a filter of libpcap. */
  readonly filter: string;
  /** UDP port on which DNS is expected. */
  readonly dnsPort: number;
}

export interface Suricata {
  readonly child: Child;
  readonly socket: string;
  readonly eve: string;
  /** Whether a dataset has a value. */
  has(set: string, type: string, value: string): Promise<boolean>;
}

/** Starts Suricata with the rule file `threatbus.rules` of that folder. */
export async function startSuricata(t: TestContext, place: SuricataPlace): Promise<Suricata> {
  const { folder, filter, dnsPort } = place;
  const socket = join(folder, "command.socket");
  await mkdir(join(folder, "log"), { recursive: true });
  await writeFile(join(folder, "suricata.yaml"), configuration(folder, socket, dnsPort));
  const args = ["-c", join(folder, "suricata.yaml"), "--pcap=lo", "-k", "none", "-l", join(folder, "log"), filter];
  const child = start(t, PROGRAM, args, { cwd: folder });
  await child.line(/Engine started/);
  await eventually("the command socket is there", () => existsSync(socket));
  return {
    child,
    socket,
    eve: join(folder, "log", "eve.json"),
    has: async (setname, settype, datavalue) => {
      await using opened = await CommandSocket.open(socket, { signal: AbortSignal.timeout(30_000) });
      return (await opened.command("dataset-lookup", { setname, settype, datavalue })).ok;
    },
  };
}

function configuration(folder: string, socket: string, dnsPort: number): string {
  return `%YAML 1.1
---
vars:
  address-groups: {HOME_NET: any, EXTERNAL_NET: any}
default-rule-path: ${folder}
rule-files: [threatbus.rules]
unix-command: {enabled: yes, filename: ${socket}}
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      types: [alert, dns, http, tls, {files: {force-hash: [md5, sha1, sha256]}}]
app-layer:
  protocols:
    tls: {enabled: yes, detection-ports: {dp: 443}}
    dns: {udp: {enabled: yes, detection-ports: {dp: ${dnsPort}}}}
    http: {enabled: yes}
logging: {outputs: [{console: {enabled: yes}}]}
`;
}

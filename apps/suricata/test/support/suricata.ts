/** A real Suricata that listens on the loopback interface, for one test. */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { eventually } from "@threatbus/testkit";
import { aptInstallBackports } from "../../../../scripts/apt.ts";
import type { Child } from "../../../../scripts/child.ts";
import { CommandSocket } from "../../src/suricata/command-socket.ts";
import { start } from "./programs.ts";

const PROGRAM = "/usr/bin/suricata";

/** Installs Suricata where that is possible. @returns why there is none */
export async function noSuricata(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "not root: Suricata may not listen on an interface";
  if (existsSync(PROGRAM)) return undefined;
  try {
    await aptInstallBackports(["suricata"], () => undefined);
  } catch (error) {
    if (process.env.CI === "true") throw error;
  }
  return existsSync(PROGRAM) ? undefined : "Suricata cannot be installed here";
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

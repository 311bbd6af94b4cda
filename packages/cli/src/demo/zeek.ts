/** Zeek as the sensor of the demo: a process of its own, with a real Zeek in it or the stand-in. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { capture } from "@threatbus/app-zeek/capture";
import { FakeZeek } from "@threatbus/app-zeek/fake-zeek";
import { safe } from "../terminal.ts";
import { readConnections, readFeed } from "./data.ts";
import { demoApp, leave, report } from "./messages.ts";
import { demoScript } from "./real-zeek.ts";

const SNAPSHOT_SECONDS = 30 * 86_400;

const { port, signal } = demoApp();
const connections = await readConnections();
const version = process.argv[3];
if (version === undefined) await runStandIn();
else await runZeek(version);
leave();

async function runStandIn(): Promise<void> {
  const zeek: FakeZeek = new FakeZeek({
    snapshot: SNAPSHOT_SECONDS,
    onIntel: ({ id, type, value }) => {
      report({ event: "said", text: `received ${safe(type)} ${safe(value)}` });
      for (const { destination, host, source } of connections) {
        if (value !== destination && value !== host) continue;
        zeek.sight(id);
        report({ event: "said", text: `reported a match: ${source} and ${safe(value)}` });
      }
      report({ event: "indicator" });
    },
  });
  zeek.connect({ host: "127.0.0.1", port });
  if (!signal.aborted) await once(signal, "abort");
  await zeek.close();
}

/** Runs Zeek in the folder of the demo, which also takes its logs. */
async function runZeek(version: string): Promise<void> {
  const { history, fresh } = await readFeed();
  await writeFile("connections.pcap", capture(connections));
  await writeFile("demo.zeek", demoScript(version, port, history.length + fresh.length));
  const zeek = spawn("zeek", ["-C", "-r", "connections.pcap", "demo.zeek"], {
    stdio: ["ignore", "pipe", "inherit"],
    signal,
    killSignal: "SIGTERM",
  });
  const ended = once(zeek, "close").catch(() => []);
  createInterface({ input: zeek.stdout }).on("line", (line) => {
    const [word, value = ""] = line.split(" ");
    if (word === "indicator") {
      report({ event: "said", text: `received ${safe(value)}` });
      report({ event: "indicator" });
    } else if (word === "match") {
      report({ event: "said", text: `found a match: ${safe(value)}` });
    }
  });
  await ended;
  if (!signal.aborted) process.exitCode = 1;
}

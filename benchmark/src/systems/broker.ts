/** A private broker for one benchmark. */
import { join } from "node:path";
import { startNats } from "../../../scripts/services/nats.ts";
import { startRabbitmq } from "../../../scripts/services/rabbitmq.ts";

export interface Broker {
  readonly kind: "rabbitmq" | "nats";
  readonly url: string;
  /** Process id of the server. */
  readonly pid: number;
  /** The section `plugins.backbones` of a bus that uses it. */
  readonly backbones: Readonly<Record<string, unknown>>;
  stop(): Promise<void>;
}

export async function startBroker(kind: Broker["kind"], folder: string, say: (line: string) => void): Promise<Broker> {
  say(`starting ${kind}`);
  if (kind === "rabbitmq") {
    const server = await startRabbitmq({ folder: join(folder, "rabbitmq") });
    const { port, url } = server;
    const backbones = { rabbitmq: { host: "127.0.0.1", port, username: "guest", password: "guest" } };
    return { kind, url, pid: server.pid, backbones, stop: () => server.kill() };
  }
  const server = await startNats({ folder: join(folder, "nats") });
  const { pid, url } = server;
  return { kind, url, pid, backbones: { nats: { servers: [url] } }, stop: () => server.kill() };
}

/** The brokers that instances of the bus share in tests. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { NatsService } from "../../../scripts/services/nats.ts";
import type { RabbitmqService } from "../../../scripts/services/rabbitmq.ts";
import type { Site } from "./cluster.ts";

async function crash(server: Pick<RabbitmqService, "kill" | "restart">): Promise<() => Promise<void>> {
  await server.kill();
  return () => server.restart();
}

/** One RabbitMQ. @param exchange keeps tests apart */
export function rabbitmqSite(server: RabbitmqService, exchange = "threatbus"): Site {
  return {
    name: "RabbitMQ",
    ports: [server.port],
    backbones: (instance, [port] = [server.port]) => ({
      rabbitmq: {
        host: "127.0.0.1",
        port,
        username: "guest",
        password: "guest",
        exchange_name: exchange,
        // Short, so that a broken connection is noticed while it lasts.
        heartbeat: "2s",
        reconnect_max: "500ms",
        queue: { name_suffix: `${exchange}-${instance}` },
      },
    }),
    crashes: { "the broker": () => crash(server) },
  };
}

/** One NATS server, or a cluster of three with three copies of the stream. */
export function natsSite(servers: readonly NatsService[]): Site {
  const ports = servers.map(({ port }) => port);
  return {
    name: "NATS",
    ports,
    backbones: (instance, at = ports) => ({
      nats: {
        servers: at.map((port) => `nats://127.0.0.1:${port}`),
        instance,
        replicas: servers.length,
        max_bytes: "1GiB",
        ack_wait: "2s",
      },
    }),
    crashes: {
      "the server that leads the stream": async () => crash(await streamLeader(servers)),
      "a server that follows": async () => {
        const leader = await streamLeader(servers);
        return crash(servers.find((server) => server !== leader) ?? leader);
      },
    },
  };
}

/** Milliseconds in which a cluster elects a leader, at the most. */
const PATIENCE = 60_000;

/** The server that leads the stream now. */
async function streamLeader(servers: readonly NatsService[]): Promise<NatsService> {
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    for (const { monitor } of servers) {
      const answer = await fetch(`${monitor}/jsz?accounts=1&streams=1`).catch(() => undefined);
      const text = (await answer?.text()) ?? "";
      // Of the account's one stream; the leader of the cluster itself stands elsewhere.
      const leader = leaderIn(text);
      const server = servers.find(({ name }) => name === leader);
      if (server !== undefined) return server;
    }
    await sleep(50);
  }
  assert.fail("the stream has no leader");
}

interface JetStreamState {
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly cluster?: { readonly leader?: string } }[];
  }[];
}

function leaderIn(text: string): string | undefined {
  if (text === "") return undefined;
  const { account_details: accounts = [] } = JSON.parse(text) as JetStreamState;
  return accounts.flatMap(({ stream_detail: streams = [] }) => streams).find(({ cluster }) => cluster?.leader)?.cluster
    ?.leader;
}

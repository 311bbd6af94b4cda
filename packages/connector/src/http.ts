import { lookup } from "node:dns/promises";
import type { AddressInfo } from "node:net";
import { type Logger, listenError, messageOf } from "@threatbus/core";
import fastify from "fastify";
import type { Registry } from "prom-client";
import type { Health } from "./health.ts";

export interface HttpParts {
  readonly host: string;
  readonly port: number;
  readonly health: Health;
  readonly metrics: Registry;
  readonly logger: Logger;
}

export interface HttpServer {
  /** `http://127.0.0.1:13381` */
  readonly url: string;
  close(): Promise<void>;
}

/** Connections at once. More are closed: they would take the files that the connector needs itself. */
const MAX_CONNECTIONS = 200;
/** Milliseconds in which something has to move before and during an answer: who never reads one would keep the connection. */
const IDLE_TIMEOUT = 5_000;

/**
 * `GET /health` (200, or 503 when a part fails) and `GET /metrics` (Prometheus text).
 * @throws ThreatBusError when the address cannot be listened on
 */
export async function startHttp(parts: HttpParts): Promise<HttpServer> {
  const { host, port, health, metrics, logger } = parts;
  const server = fastify({
    bodyLimit: 1_024,
    requestTimeout: 10_000,
    connectionTimeout: IDLE_TIMEOUT,
    forceCloseConnections: true,
  });
  server.server.maxConnections = MAX_CONNECTIONS;
  server.addHook("onError", async ({ url }, _, error) => {
    // What is wrong with a request is told to who sent it.
    if ((error.statusCode ?? 500) >= 500) logger.error({ url, error: messageOf(error) }, "no answer could be made");
  });
  server.get("/health", (_, reply) => {
    const report = health.report();
    return reply.code(report.status === "ok" ? 200 : 503).send(report);
  });
  server.get("/metrics", async (_, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
  try {
    // By its address: for `localhost` fastify would make a second server, without the bound on connections.
    const { address } = await lookup(host);
    await server.listen({ host: address, port });
  } catch (cause) {
    await server.close();
    throw listenError(cause, { host, port, settings: { host: "http.host", port: "http.port" } }) ?? cause;
  }
  const bound = server.server.address() as AddressInfo;
  const shown = bound.family === "IPv6" ? `[${bound.address}]` : bound.address;
  return { url: `http://${shown}:${bound.port}`, close: () => server.close() };
}

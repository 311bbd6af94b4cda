import { lookup } from "node:dns/promises";
import type { AddressInfo } from "node:net";
import { type AppContext, type AppPlugin, type BoundAddress, listenError, messageOf } from "@threatbus/core";
import type { FastifyInstance } from "fastify";
import { healthAnswer } from "./health.ts";
import { bindHost, type HttpOptions } from "./options.ts";

/** Connections at once. More are closed: they would take the files that the bus needs itself. */
const MAX_CONNECTIONS = 200;
/** Nothing here takes a body. */
const BODY_LIMIT = 1_024;
/** Milliseconds in which a request has to be there ... */
const REQUEST_TIMEOUT = 10_000;
/** ... and in which something has to move before and during an answer: who never reads one would keep the connection. */
const IDLE_TIMEOUT = 5_000;

/**
 * `GET /health` (200, or 503 when a part fails) and `GET /metrics` (Prometheus text). It answers until `stop`: how
 * a bus goes down can be watched, too.
 */
export class HttpPlugin implements AppPlugin<HttpOptions> {
  #server: FastifyInstance | undefined;

  async run(context: AppContext<HttpOptions>): Promise<readonly BoundAddress[]> {
    const server = await createServer(context);
    try {
      await listen(server, context.config);
    } catch (error) {
      await server.close();
      throw error;
    }
    this.#server = server;
    const { address, family, port } = server.server.address() as AddressInfo;
    return [{ name: "api", url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}` }];
  }

  async stopIntake(): Promise<void> {
    // It takes nothing in.
  }

  async stop(): Promise<void> {
    await this.#server?.close();
  }
}

async function createServer({ health, metrics, logger }: AppContext<HttpOptions>): Promise<FastifyInstance> {
  // Only here: a bus without this plugin does not pay for loading it.
  const { fastify } = await import("fastify");
  const server = fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT,
    connectionTimeout: IDLE_TIMEOUT,
    forceCloseConnections: true,
  });
  server.server.maxConnections = MAX_CONNECTIONS;
  server.addHook("onError", async ({ url }, _, error) => {
    // What is wrong with a request is told to who sent it.
    if ((error.statusCode ?? 500) >= 500) logger.error({ url, error: messageOf(error) }, "no answer could be made");
  });
  server.get("/health", (_, reply) => {
    const answer = healthAnswer(health());
    return reply.code(answer.status === "ok" ? 200 : 503).send(answer);
  });
  server.get("/metrics", async (_, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
  return server;
}

/** @throws ThreatBusError when the address cannot be listened on */
async function listen(server: FastifyInstance, config: HttpOptions): Promise<void> {
  const { port } = config;
  const host = bindHost(config.host);
  try {
    // By its address: for `localhost` fastify would make a second server, without the bound on connections.
    const { address } = await lookup(host);
    await server.listen({ host: address, port });
  } catch (cause) {
    const settings = { host: "plugins.apps.http.host", port: "plugins.apps.http.port" };
    throw listenError(cause, { host, port, settings }) ?? cause;
  }
}

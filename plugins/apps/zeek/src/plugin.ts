import { type AppContext, type AppPlugin, type BoundAddress, listenError } from "@threatbus/core";
import type { Address } from "@threatbus/zeek-broker";
import { Broker } from "./broker.ts";
import { brokerTls, webSocketTls } from "./certificates.ts";
import { Inbound } from "./inbound.ts";
import { createMetrics } from "./metrics.ts";
import { bindHost, isLoopback, type ZeekOptions } from "./options.ts";
import { Reports } from "./reports.ts";
import { Subscriptions } from "./subscriptions.ts";
import { WebSocketZeek } from "./websocket.ts";
import { Zeeks } from "./zeeks.ts";

/** Milliseconds that stopIntake waits for sightings in hand to find room in the inq. */
const INTAKE_LIMIT = 2_000;

/** Everything that lives while the plugin runs. */
interface Running {
  readonly broker: Broker;
  readonly webSockets: readonly WebSocketZeek[];
  readonly subscriptions: Subscriptions;
  readonly inbound: Inbound;
  readonly reports: Reports;
}

/** Zeek instances: they peer with a Broker endpoint, or are connected to over WebSocket. */
export class ZeekPlugin implements AppPlugin<ZeekOptions> {
  #running: Running | undefined;

  async run(context: AppContext<ZeekOptions>): Promise<readonly BoundAddress[]> {
    const { config, logger } = context;
    const tls = await brokerTls(config);
    const serverTls = await Promise.all(config.websocket.map(webSocketTls));
    const metrics = createMetrics(context.metrics, {
      peers: () => zeeks.size,
      subscriptions: () => subscriptions.size,
      backlog: () => subscriptions.backlog,
      inFlight: () => zeeks.inFlight,
    });
    const reports = new Reports(logger, metrics);
    const subscriptions = new Subscriptions({ context, metrics, reports });
    const inbound = new Inbound({
      inq: context.inq,
      messages: context.messages,
      namespace: config.module_namespace,
      taken: (count) => metrics.sightings.inc(count),
      refused: (reason, count, sample) => reports.refused(reason, count, sample),
      giveUp: context.signal,
      supervision: context,
    });
    const zeeks = new Zeeks({ config, subscriptions, inbound, reports });
    const broker = new Broker({ config, tls, zeeks, reports, logger });
    const bound = await listen(broker, config);
    inbound.start();
    const webSockets = config.websocket.map(
      (server, index) => new WebSocketZeek({ config, server, tls: serverTls[index] ?? {}, zeeks, reports, logger }),
    );
    this.#running = { broker, webSockets, subscriptions, inbound, reports };
    warnOfExposure(context);
    return [{ name: "broker", url: urlOf(bound) }];
  }

  async stopIntake(): Promise<void> {
    if (this.#running === undefined) return;
    const { subscriptions, inbound } = this.#running;
    subscriptions.stopIntake();
    // Where the inq is full and nobody drains it, the sightings in hand must not keep the bus from going down.
    await inbound.drain(AbortSignal.timeout(INTAKE_LIMIT)).catch(() => undefined);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    const { broker, webSockets, subscriptions, inbound, reports } = running;
    inbound.close();
    inbound.stop();
    await subscriptions.close();
    await Promise.all([broker, ...webSockets].map((each) => each.close()));
    await inbound.join();
    reports.close();
  }
}

async function listen(broker: Broker, config: ZeekOptions): Promise<Address> {
  try {
    return await broker.listen();
  } catch (error) {
    await broker.close();
    const settings = { host: "plugins.apps.zeek.host", port: "plugins.apps.zeek.port" };
    throw listenError(error, { host: bindHost(config.host), port: config.port, settings }) ?? error;
  }
}

function urlOf({ host, port }: Address): string {
  return `tcp://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function warnOfExposure({ config, logger }: AppContext<ZeekOptions>): void {
  if (isLoopback(config.host) || typeof config.tls !== "string") return;
  logger.warn(
    { host: config.host, setting: "plugins.apps.zeek.tls" },
    "the Broker endpoint is open to the network without authentication: " +
      "whoever reaches it can read all intelligence and report sightings",
  );
}

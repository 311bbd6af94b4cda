import {
  type AppContext,
  type AppPlugin,
  type BoundAddress,
  listenError,
  type SnapshotRequestMessage,
} from "@threatbus/core";
import { type Address, Rep, Sub, Xpub } from "@threatbus/zmtp";
import { Attachments } from "./attachments.ts";
import { systemClock } from "./clock.ts";
import { Inbound } from "./inbound.ts";
import { Management } from "./management.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { bindHost, isLoopback, type ZmqOptions } from "./options.ts";
import { type PortName, Reports } from "./reports.ts";
import { MAX_REQUEST_BYTES } from "./requests.ts";
import type { Subscription } from "./subscription.ts";
import { Subscriptions } from "./subscriptions.ts";
import { withTimeLimit } from "./time-limit.ts";

/** What the three sockets are bound to. */
type Ports = Readonly<Record<PortName, Address>>;

/** Room for a topic beside the largest payload, in bytes. */
const FRAME_HEADROOM = 64 * 1024;
/**
 * Bytes beyond which a message is no mistake any more, and its connection is closed. Up to there what is too large is
 * read, and not kept in memory.
 */
const LARGEST_MISTAKE = 1024 * 1024 * 1024;
/** Milliseconds in which bytes for slow apps may still go out when the plugin stops. */
const CLOSE_LINGER = 1_000;

/** Milliseconds that stopIntake waits for messages in hand to find room in the inq. */
const INTAKE_LIMIT = 2_000;
/** Connections of apps that come back before their old connection is given up. */
const SPARE_CONNECTIONS = 1_000;

/** Everything that lives while the plugin runs. */
interface Running {
  readonly rep: Rep;
  readonly xpub: Xpub;
  readonly sub: Sub;
  readonly attachments: Attachments<Subscription>;
  readonly subscriptions: Subscriptions;
  readonly management: Management;
  readonly inbound: Inbound;
  readonly reports: Reports;
}

/** Apps connected over ZeroMQ: they subscribe at `manage`, receive at `pub`, publish to `sub`. */
export class ZmqPlugin implements AppPlugin<ZmqOptions> {
  #running: Running | undefined;

  async run(context: AppContext<ZmqOptions>): Promise<readonly BoundAddress[]> {
    const { config, logger } = context;
    const attachments: Attachments<Subscription> = new Attachments((topic) => xpub.hasSubscriber(topic));
    const metrics: Metrics = createMetrics(context.metrics, () => subscriptions.size);
    const reports = new Reports({ logger, metrics, attachments });
    const rep = new Rep({
      // What is too large is answered all the same: a program that waits for a reply waits for ever.
      maxMessageSize: LARGEST_MISTAKE,
      keptMessageSize: 2 * MAX_REQUEST_BYTES,
      onEvent: reports.listener("manage"),
    });
    const xpub = new Xpub({
      highWaterMark: config.high_water_mark,
      maxConnections: config.max_subscriptions + SPARE_CONNECTIONS,
      linger: CLOSE_LINGER,
      onSubscribe: (prefix, peer) => attachments.onSubscribe(prefix, peer),
      onUnsubscribe: (prefix) => attachments.onUnsubscribe(prefix),
      onEvent: reports.listener("pub"),
    });
    const keptMessageSize = config.max_message_bytes + FRAME_HEADROOM;
    const sub = new Sub({
      // Closing the connection would lose what its app has sent behind the message that is too large.
      maxMessageSize: Math.max(LARGEST_MISTAKE, keptMessageSize),
      keptMessageSize,
      onEvent: reports.listener("sub"),
    });
    const subscriptions = new Subscriptions({ context, xpub, attachments, metrics, reports, clock: systemClock });
    const ports = await bindAll({ pub: xpub, sub, manage: rep }, config);
    const management = new Management({
      subscriptions,
      ports: { pub: ports.pub.port, sub: ports.sub.port },
      metrics,
      logger,
    });
    const inbound = new Inbound({
      sub,
      inq: context.inq,
      messages: context.messages,
      rejections: reports,
      limits: { maxBytes: config.max_message_bytes },
      receipt: ({ topic, number }) => {
        const subscription = subscriptions.get(topic);
        subscription?.outbound.accepted(number);
        return subscription !== undefined;
      },
      giveUp: context.signal,
      supervision: context,
    });
    this.#running = { rep, xpub, sub, attachments, subscriptions, management, inbound, reports };
    sub.subscribe("");
    inbound.start();
    rep.serve((request) => management.answer(request));
    warnOfExposure(context);
    return addresses(ports);
  }

  async stopIntake(): Promise<void> {
    if (this.#running === undefined) return;
    const { management, inbound, sub } = this.#running;
    management.stopIntake();
    inbound.stop();
    // Where the inq is full and nobody drains it, the messages in hand must not keep the bus from going down.
    await withTimeLimit(inbound.join(), INTAKE_LIMIT);
    await sub.close();
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    running.inbound.stop();
    await running.subscriptions.close();
    running.attachments.close();
    await Promise.all([running.rep.close(), running.xpub.close(), running.sub.close()]);
    await running.inbound.join();
    running.reports.close();
  }

  /** Asks the apps; what they answer comes in by the sub port. */
  async snapshot(request: SnapshotRequestMessage): Promise<void> {
    this.#running?.subscriptions.forward(request);
  }
}

type Bindable = Pick<Rep | Xpub | Sub, "bind" | "close">;

/** Binds all sockets, or closes them all. `manage` is last: who is told of the other ports finds them open. */
async function bindAll(sockets: Readonly<Record<PortName, Bindable>>, config: ZmqOptions): Promise<Ports> {
  try {
    return {
      pub: await bind("pub", sockets.pub, config),
      sub: await bind("sub", sockets.sub, config),
      manage: await bind("manage", sockets.manage, config),
    };
  } catch (error) {
    await Promise.all(Object.values(sockets).map((socket) => socket.close()));
    throw error;
  }
}

async function bind(name: PortName, socket: Bindable, config: ZmqOptions): Promise<Address> {
  const target = { host: bindHost(config.host), port: config[name] };
  try {
    return await socket.bind(target);
  } catch (error) {
    const settings = { host: "plugins.apps.zmq.host", port: `plugins.apps.zmq.${name}` };
    throw listenError(error, { ...target, settings }) ?? error;
  }
}

function addresses(ports: Ports): readonly BoundAddress[] {
  const names: readonly PortName[] = ["manage", "pub", "sub"];
  return names.map((name) => {
    const { host, port } = ports[name];
    return { name, url: `tcp://${host.includes(":") ? `[${host}]` : host}:${port}` };
  });
}

function warnOfExposure({ config, logger }: AppContext<ZmqOptions>): void {
  if (isLoopback(config.host)) return;
  logger.warn(
    { host: config.host, setting: "plugins.apps.zmq.host" },
    "the ZeroMQ ports are open to the network without encryption or authentication: " +
      "whoever reaches them can read all intelligence and publish indicators",
  );
}

import {
  createLogger,
  createMetrics,
  type StartReport,
  Supervisor,
  standardError,
  ThreatBus,
  watchEventLoop,
} from "@threatbus/core";
import { dieOfUnhandled, EXIT, firstSignal } from "@threatbus/core/process";
import { type ConfigOption, requireConfig } from "../config.ts";
import { openLog } from "../durable-log.ts";

/**
 * `threatbus run`: the bus until SIGINT, SIGTERM or SIGHUP.
 * @throws ThreatBusError when the configuration is wrong (78), or a port or the only backbone cannot be used (1)
 */
export async function run(options: ConfigOption): Promise<void> {
  const { config, file, warnings } = await requireConfig(options);
  const logging = createLogger({
    config: config.logging,
    cwd: process.cwd(),
    env: process.env,
    console: standardError(),
    onFatal: () => process.exit(EXIT.failure),
  });
  const { logger } = logging;
  for (const warning of warnings) logger.warn({}, warning);
  logger.debug({ file: file ?? "built-in defaults" }, "configuration read");
  dieOfUnhandled(logger);
  const stopped = firstSignal();
  const metrics = createMetrics();
  const endWatch = watchEventLoop({ logger, metrics });
  const supervisor = new Supervisor({ env: process.env, logger });
  const bus = new ThreatBus({ config, logger, metrics, openLog });
  try {
    const report = await bus.start();
    logger.info({}, `ready: ${readiness(report)}`);
    supervisor.tell("READY=1");
    const signal = await stopped;
    logger.info({ signal }, "stopping");
    supervisor.tell("STOPPING=1");
    const { undelivered, waiting } = await bus.stop();
    if (waiting === 0) logger.info({ undelivered }, "stopped");
    else logger.info({ undelivered, waiting }, `stopped: ${waiting} messages wait in the log for the next start`);
    await supervisor.told();
  } finally {
    endWatch();
    logging.close();
  }
  // What a plugin has left open must not keep the process.
  process.exit(EXIT.ok);
}

/** `zmq manage tcp://127.0.0.1:13370, zmq pub tcp://127.0.0.1:13371, backbone rabbitmq connected to 127.0.0.1:5672`. */
function readiness({ addresses, backbones }: StartReport): string {
  const listening = addresses.map(({ plugin, name, url }) => `${plugin} ${name} ${url}`);
  const ways = backbones.map(({ backbone, ok, text }) => {
    return `backbone ${backbone} ${ok ? text : `not connected: ${text}, retrying`}`;
  });
  return [...(listening.length > 0 ? listening : ["no app listens on a port"]), ...ways].join(", ");
}

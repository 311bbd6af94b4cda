import {
  createLogger,
  createMetrics,
  type Logger,
  notifySupervisor,
  standardError,
  watchEventLoop,
} from "@threatbus/core";
import { dieOfUnhandled, EXIT, firstSignal } from "@threatbus/core/process";
import type { ConnectorDefinition } from "./definition.ts";
import { startHttp } from "./http.ts";
import type { SharedSettings } from "./options.ts";
import { Session } from "./session.ts";
import { prepareStateDirectory } from "./state-directory.ts";

/** What was read of the configuration. */
export interface Loaded<Settings> {
  readonly settings: Settings;
  readonly file: string | undefined;
  readonly warnings: readonly string[];
}

/**
 * The connector until SIGINT, SIGTERM or SIGHUP.
 * @throws ThreatBusError where a port cannot be used; CommandError where `state_dir` cannot; what the connector's `run` throws
 */
export async function run<Settings extends SharedSettings>(
  definition: ConnectorDefinition<Settings>,
  { settings, file, warnings }: Loaded<Settings>,
): Promise<void> {
  // Before anything that takes its time: one that starts can be stopped too.
  const stopped = firstSignal();
  const logging = createLogger({
    config: settings.logging,
    cwd: process.cwd(),
    env: process.env,
    console: standardError(),
    onFatal: () => process.exit(EXIT.failure),
  });
  const logger = logging.logger.child({ component: `threatbus-${definition.name}` });
  for (const warning of warnings) logger.warn({}, warning);
  logger.debug({ file: file ?? "built-in defaults" }, "configuration read");
  dieOfUnhandled(logger);
  const metrics = createMetrics();
  const endWatch = watchEventLoop({ logger, metrics });
  try {
    prepareStateDirectory(settings.state_dir);
    const session = new Session({ definition, settings, logger, metrics });
    const { http } = settings;
    const server = http === false ? undefined : await startHttp({ ...http, health: session.health, metrics });
    try {
      const where = server === undefined ? "" : `, health and metrics ${server.url}`;
      await runSession(session, stopped, { logger, ready: `threatbus ${settings.threatbus}${where}` });
    } finally {
      await session.stop();
      await server?.close();
      logger.info({}, "stopped");
    }
  } finally {
    endWatch();
    logging.close();
  }
}

/** Starts the session, says so, and returns when the program is to be stopped. */
async function runSession<Settings extends SharedSettings>(
  session: Session<Settings>,
  stopped: Promise<NodeJS.Signals>,
  { logger, ready }: { readonly logger: Logger; readonly ready: string },
): Promise<void> {
  const starting = session.start().then(() => undefined);
  const early = await Promise.race([starting, stopped]);
  // Being stopped is the reason for whatever it fails with now.
  starting.catch(() => undefined);
  // The helper process takes its time: nothing waits for it.
  let told: Promise<unknown> = Promise.resolve();
  if (early === undefined) {
    logger.info({}, `ready: ${ready}`);
    told = notifySupervisor("READY=1", { env: process.env, logger });
  }
  logger.info({ signal: await stopped }, "stopping");
  void told.then(() => notifySupervisor("STOPPING=1", { env: process.env, logger }));
}

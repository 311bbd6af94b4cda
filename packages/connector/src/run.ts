import { createLogger, createMetrics, type Logger, Supervisor, standardError, watchEventLoop } from "@threatbus/core";
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
  const supervisor = new Supervisor({ env: process.env, logger });
  const endWatch = watchEventLoop({ logger, metrics });
  try {
    prepareStateDirectory(settings.state_dir);
    const session = new Session({ definition, settings, logger, metrics });
    const { http } = settings;
    const server = http === false ? undefined : await startHttp({ ...http, health: session.health, metrics, logger });
    try {
      const where = server === undefined ? "" : `, health and metrics ${server.url}`;
      await runSession(session, stopped, { logger, supervisor, ready: `threatbus ${settings.threatbus}${where}` });
    } finally {
      await session.stop();
      await server?.close();
      await supervisor.told();
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
  { logger, supervisor, ready }: { readonly logger: Logger; readonly supervisor: Supervisor; readonly ready: string },
): Promise<void> {
  const starting = session.start().then(() => undefined);
  const early = await Promise.race([starting, stopped]);
  // Being stopped is the reason for whatever it fails with now.
  starting.catch(() => undefined);
  if (early === undefined) {
    logger.info({}, `ready: ${ready}`);
    supervisor.tell("READY=1");
  }
  logger.info({ signal: await stopped }, "stopping");
  supervisor.tell("STOPPING=1");
}

import type { Logger } from "../contracts/logger.ts";
import { messageOf } from "../errors.ts";

/** Milliseconds that a plugin may take to stop when the drain is over; far more than a socket lingers. */
const STOP_TIMEOUT = 5_000;

/**
 * Does one life-cycle step for all plugins at once; a plugin that throws is reported, and one that hangs is left.
 * @param step as it is said when it fails: "stop"
 * @param deadline default: in 5 s
 */
export async function eachPlugin<P>(
  logger: Logger,
  step: string,
  plugins: ReadonlyMap<string, P>,
  run: (plugin: P) => Promise<void>,
  deadline: AbortSignal = AbortSignal.timeout(STOP_TIMEOUT),
): Promise<void> {
  const timedOut = new Promise<never>((_, reject) => {
    deadline.addEventListener("abort", () => reject(deadline.reason), { once: true });
  });
  timedOut.catch(() => undefined);
  const steps = [...plugins].map(async ([name, plugin]) => {
    try {
      if (deadline.aborted) throw deadline.reason;
      await Promise.race([run(plugin), timedOut]);
    } catch (error) {
      logger.error({ plugin: name, error: messageOf(error) }, `a plugin failed to ${step}`);
    }
  });
  await Promise.all(steps);
}

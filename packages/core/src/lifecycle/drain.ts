import type { Logger } from "../contracts/logger.ts";
import type { Handover } from "../flow/handover.ts";
import type { Subscriptions } from "../subscriptions/subscriptions.ts";
import type { Withdrawals } from "../withdrawals/withdrawals.ts";
import type { Backbones } from "./backbones.ts";

/** Milliseconds between two looks at whether anything still goes out. */
const INTERVAL = 250;

export interface DrainParts {
  readonly logger: Logger;
  /** Of the deadline in milliseconds, to be told. */
  readonly timeout: number;
  readonly backbones: Pick<Backbones, "drained" | "unfinished" | "isCutOff"> | undefined;
  readonly withdrawals: Pick<Withdrawals, "settled"> | undefined;
  readonly subscriptions: Pick<Subscriptions, "drained">;
  /** Where a backbone has a broker, and there is a log. */
  readonly handover: Pick<Handover, "restored" | "missed"> | undefined;
  /** Is the log being written? */
  isKept(): boolean;
  /** Milliseconds; default 250. */
  readonly interval?: number;
}

/**
 * The inq drains through the backbones, the outqs to the apps, until the deadline aborts. What only waits for a broker that
 * cannot be reached, and is kept for the next start, is not waited for. Never throws.
 */
export async function drain(parts: DrainParts, deadline: AbortSignal): Promise<void> {
  const { logger, subscriptions } = parts;
  const futile = new AbortController();
  const timer = setInterval(isFutile(parts), parts.interval ?? INTERVAL, futile);
  try {
    await handOver(parts, AbortSignal.any([deadline, futile.signal])).catch((error: unknown) => {
      if (!futile.signal.aborted) throw error;
      logger.info(
        {},
        "no broker can be reached: what it has not confirmed waits in the durable log for the next start",
      );
    });
    await subscriptions.drained(deadline);
  } catch {
    logger.warn({ drain_timeout_ms: parts.timeout }, "not everything was delivered in time");
  } finally {
    clearInterval(timer);
  }
}

async function handOver({ handover, backbones, withdrawals }: DrainParts, signal: AbortSignal): Promise<void> {
  await handover?.restored(signal);
  await backbones?.drained(signal);
  await withdrawals?.settled(signal);
  await backbones?.drained(signal);
}

/** Aborts when nothing has moved since the last look, and nothing will: all of it is in the outbox. */
function isFutile({ handover, backbones, isKept }: DrainParts): (futile: AbortController) => void {
  let before: number | undefined;
  return (futile) => {
    const isCutOff = backbones?.isCutOff === true && handover?.missed === 0 && isKept();
    const now = isCutOff ? backbones.unfinished : undefined;
    if (now !== undefined && now === before) futile.abort();
    before = now;
  };
}

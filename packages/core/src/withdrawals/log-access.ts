import type { DurableLog } from "../contracts/log.ts";
import type { Logger } from "../contracts/logger.ts";
import { messageOf } from "../errors.ts";

/** What withdrawals need of the durable log. */
export type WithdrawalLog = Pick<DurableLog, "state" | "last" | "read" | "states" | "expired" | "cursor" | "setCursor">;

/** Asks the log as long as it can answer. */
export class LogAccess {
  readonly #log: WithdrawalLog | undefined;
  readonly #logger: Logger;
  /** The last question was not answered. */
  #unanswered = false;

  constructor(log: WithdrawalLog | undefined, logger: Logger) {
    this.#log = log;
    this.#logger = logger;
  }

  /** Undefined: there is none, or none any more. */
  get log(): WithdrawalLog | undefined {
    const log = this.#log;
    return log === undefined || log.state === "failed" || log.state === "closed" ? undefined : log;
  }

  /** @returns undefined when the log cannot answer, which is said once until it can. */
  async ask<T>(question: (log: WithdrawalLog) => Promise<T>): Promise<T | undefined> {
    const { log } = this;
    if (log === undefined) return undefined;
    try {
      const answer = await question(log);
      this.#unanswered = false;
      return answer;
    } catch (error) {
      if (!this.#unanswered) {
        const fields = { error: messageOf(error) };
        this.#logger.warn(fields, "the durable log does not tell which indicators end; it is asked again in a minute");
      }
      this.#unanswered = true;
      return undefined;
    }
  }
}

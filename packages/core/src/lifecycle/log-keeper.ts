import type { Registry } from "prom-client";
import type { LogState, OpenLog } from "../contracts/log.ts";
import type { Logger } from "../contracts/logger.ts";
import { messageOf } from "../errors.ts";
import { LogWriter, RECALLED } from "../flow/log-writer.ts";
import { DropReport } from "../observe/drop-report.ts";
import type { HealthPart } from "../observe/health.ts";
import { counter, gauge } from "../observe/metrics.ts";

export interface LogKeeperOptions {
  readonly log: OpenLog;
  /** Of its file, to be told. */
  readonly path: string;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** See LogWriter. */
  readonly deduplicate: boolean;
}

/** What a log line says of each state. */
const STATES: Readonly<Record<LogState, string>> = {
  ok: "the durable log is being written again",
  stalled: "the durable log cannot be written: live traffic goes on, and it is tried again until it works",
  failed: "the durable log is written no more: live traffic goes on without it",
  closed: "the durable log is closed",
};

/** The open log of a running bus: what is written, and what is said of its state. */
export class LogKeeper {
  readonly writer: LogWriter;
  readonly log: OpenLog;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #missed: DropReport;

  constructor({ log, path, logger, metrics, deduplicate }: LogKeeperOptions) {
    this.log = log;
    this.#path = path;
    this.#logger = logger.child({ component: "log" });
    const missed = counter(metrics, "threatbus_log_missed_total");
    this.#missed = new DropReport({ logger: this.#logger, counter: { inc: (_, count) => missed.inc(count) } });
    this.writer = new LogWriter({ log, deduplicate, onDrop: this.dropped });
    gauge(metrics, "threatbus_log_position", (metric) => metric.set(log.last));
    gauge(metrics, "threatbus_log_ok", (metric) => metric.set(log.state === "ok" ? 1 : 0));
    log.on("state", (state, error) => this.#say(state, error));
  }

  /** Counts messages that the log did not take. */
  readonly dropped = (count: number): void => this.#missed.note("not-in-the-log", count);

  /** Knows what an earlier process entered last, so that what a broker brings again is recognised. */
  readonly recall = async (): Promise<void> => {
    try {
      this.writer.recall(await this.log.newest(RECALLED));
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, "the durable log does not tell which messages came last");
    }
  };

  get health(): HealthPart {
    const { state, last } = this.log;
    return { name: "log", ok: state === "ok", detail: state === "ok" ? `at position ${last}` : STATES[state] };
  }

  get id(): string {
    return this.log.id;
  }

  /** Says which log it is, when the bus has started. */
  announce(): void {
    const { last: position } = this.log;
    this.#logger.info({ path: this.#path, position }, "messages are kept in the durable log");
  }

  /** Writes the log to its end; says so when the disk would not take it. */
  async close(): Promise<void> {
    this.#missed.flush();
    try {
      await this.log.close();
    } catch (error) {
      this.#logger.error({ error: messageOf(error) }, "the end of the durable log could not be written");
    }
  }

  #say(state: LogState, error: Error | undefined): void {
    if (state === "closed") return;
    const fields = { state, ...(error === undefined ? {} : { error: messageOf(error), hint: hintOf(error) }) };
    this.#logger[state === "ok" ? "info" : "error"](fields, STATES[state]);
  }
}

function hintOf(error: Error): string | undefined {
  return "hint" in error && typeof error.hint === "string" ? error.hint : undefined;
}

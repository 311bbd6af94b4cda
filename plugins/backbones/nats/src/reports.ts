import { type BackboneContext, counter, DropReport, hideUrlCredentials, type Logger } from "@threatbus/core";

/** What this backbone counts and says: each reason at most once a second. */
export class Reports {
  readonly logger: Logger;
  readonly #unsent: DropReport;
  readonly #undecodable: DropReport;
  readonly #missed: DropReport;
  #lastTrouble = "";

  constructor({ logger, metrics }: Pick<BackboneContext, "logger" | "metrics">) {
    const dropped = counter(metrics, "threatbus_messages_dropped_total");
    const inc = ({ reason }: { readonly reason: string }, count: number) =>
      dropped.inc({ component: "nats", reason }, count);
    this.logger = logger;
    this.#unsent = new DropReport({ logger: logger.child({ to: "stream" }), counter: { inc } });
    this.#undecodable = new DropReport({ logger: logger.child({ from: "stream" }), counter: { inc } });
    this.#missed = new DropReport({ logger: logger.child({ from: "stream" }), counter: { inc } });
  }

  /** A message that the stream will never take. */
  unsent(reason: string, sample: string): void {
    this.#unsent.note(reason, 1, sample);
  }

  /** A message of the stream that is none of the bus. */
  undecodable(reason: string, sample: Buffer | string): void {
    this.#undecodable.note(reason, 1, sample);
  }

  /** Messages that the stream gave up before this instance had them. */
  missed(count: number): void {
    this.#missed.note("gone_from_stream", count, "the stream is full, or they were older than its max_age");
  }

  /** Something fails again and again: the first time of each text is a warning. */
  trouble(text: string, servers?: readonly string[]): void {
    const fields = {
      error: hideUrlCredentials(text),
      ...(servers === undefined ? {} : { servers: servers.join(", ") }),
    };
    const message = "the way to the stream is interrupted; it is tried again for ever";
    if (text === this.#lastTrouble) this.logger.debug(fields, message);
    else this.logger.warn(fields, message);
    this.#lastTrouble = text;
  }

  /** Everything works again. */
  recovered(text: string): void {
    this.#lastTrouble = "";
    this.logger.info({}, text);
  }

  /** Says what has not been said yet. */
  close(): void {
    for (const report of [this.#unsent, this.#undecodable, this.#missed]) report.flush();
  }
}

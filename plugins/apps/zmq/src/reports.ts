import { DropReport, type Logger } from "@threatbus/core";
import type { SocketEvent } from "@threatbus/zmtp";
import type { Attachments } from "./attachments.ts";
import type { Rejections } from "./inbound.ts";
import type { Metrics } from "./metrics.ts";
import type { Subscription } from "./subscription.ts";

export type PortName = "manage" | "pub" | "sub";

export interface ReportsParts {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly attachments: Attachments<Subscription>;
}

/** Messages for other programs on the sub port: no fault of anybody, so they are not worth a warning. */
const FOREIGN = "topic";

/** Says, at most once a second per reason, what was not accepted, not delivered, or cut off, and counts all of it. */
export class Reports implements Rejections {
  readonly #parts: ReportsParts;
  readonly #rejected: DropReport;
  readonly #foreign: DropReport;
  readonly #undelivered: DropReport;
  readonly #connections: Readonly<Record<PortName, DropReport>>;

  constructor(parts: ReportsParts) {
    this.#parts = parts;
    const { logger, metrics } = parts;
    const counter = metrics.dropped;
    this.#rejected = new DropReport({ logger: logger.child({ from: "app" }), counter });
    this.#foreign = new DropReport({ logger: logger.child({ from: "app" }), counter, level: "debug" });
    this.#undelivered = new DropReport({ logger: logger.child({ to: "app" }), counter });
    const connections = (port: PortName) =>
      new DropReport({
        logger: logger.child({ connection: port }),
        counter: { inc: ({ reason }, count) => metrics.connections.inc({ port, reason }, count) },
      });
    this.#connections = { manage: connections("manage"), pub: connections("pub"), sub: connections("sub") };
  }

  reject(reason: string, sample: Buffer | string | undefined): void {
    (reason === FOREIGN ? this.#foreign : this.#rejected).note(reason, 1, sample);
  }

  lost(reason: string, count: number): void {
    this.#rejected.note(reason, count);
  }

  /** Messages that were taken for an app and did not go out. */
  undelivered(reason: string, count: number, subscription: string): void {
    this.#undelivered.note(reason, count, subscription);
  }

  /** The listener for the events of one socket. */
  listener(port: PortName): (event: SocketEvent) => void {
    return (event) => this.#onEvent(port, event);
  }

  /** Says what has not been said yet. */
  close(): void {
    const connections = Object.values(this.#connections);
    for (const report of [this.#rejected, this.#foreign, this.#undelivered, ...connections]) report.flush();
  }

  #onEvent(port: PortName, event: SocketEvent): void {
    const { attachments, logger } = this.#parts;
    switch (event.type) {
      case "refused":
      case "closed-by-limit":
      case "protocol-error":
        this.#connections[port].note(event.reason, 1, event.peer.remote);
        if (port === "sub" && event.reason === "message-too-large") this.reject("too-large", event.peer.remote);
        break;
      case "dropped":
        if (port === "pub") this.undelivered(event.reason, event.count, this.#describe(event));
        break;
      case "disconnected":
        attachments.forget(event.peer);
        break;
      case "handler-failed":
        logger.error({ port, error: String(event.cause) }, "a request could not be answered");
        break;
      default:
        logger.debug({ port, event: event.type, remote: event.peer.remote }, "connection");
    }
  }

  #describe({ peer }: SocketEvent): string {
    const subscription = this.#parts.attachments.servedBy(peer);
    return `${subscription?.name ?? "unknown subscription"} at ${peer.remote}`;
  }
}

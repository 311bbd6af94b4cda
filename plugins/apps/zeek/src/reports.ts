import { DropReport, type Logger } from "@threatbus/core";
import type { Metrics } from "./metrics.ts";

/** The two ways in which a Zeek is connected. */
export type Way = "broker" | "websocket";

/** Says, at most once a second per reason, what did not pass, and counts all of it. */
export class Reports {
  readonly #unmapped: DropReport;
  readonly #undelivered: DropReport;
  readonly #refused: DropReport;
  readonly #ignored: DropReport;
  readonly #connections: Readonly<Record<Way, DropReport>>;

  constructor(logger: Logger, metrics: Metrics) {
    const counter = metrics.dropped;
    const connections = (way: Way) =>
      new DropReport({
        logger: logger.child({ connection: way }),
        counter: { inc: ({ reason }, count) => metrics.connections.inc({ way, reason }, count) },
      });
    // That a sensor has no use for some indicators is normal: no warning.
    this.#unmapped = new DropReport({ logger: logger.child({ to: "zeek" }), counter, level: "debug" });
    this.#undelivered = new DropReport({ logger: logger.child({ to: "zeek" }), counter });
    this.#refused = new DropReport({ logger: logger.child({ from: "zeek" }), counter });
    this.#ignored = new DropReport({
      logger: logger.child({ from: "zeek" }),
      counter: { inc: ({ reason }, count) => metrics.ignored.inc({ kind: reason }, count) },
      level: "debug",
    });
    this.#connections = { broker: connections("broker"), websocket: connections("websocket") };
  }

  /** An indicator that has no form in Zeek's intel framework. */
  unmapped(reason: string, sample: string): void {
    this.#unmapped.note(reason, 1, sample);
  }

  /** Indicators that a subscription had and Zeek did not get. */
  undelivered(reason: string, count: number, sample: string): void {
    this.#undelivered.note(reason, count, sample);
  }

  /** Sightings or requests of Zeek that were not accepted, or did not get onto the bus. */
  refused(reason: string, count: number, sample: string): void {
    this.#refused.note(reason, count, sample);
  }

  /** A message that Threat Bus has no use for. Zeek ships its logs to new peers: nothing is wrong with that. */
  ignored(kind: string, sample: string): void {
    this.#ignored.note(kind, 1, sample);
  }

  /** A connection that was refused, failed, or was closed for what Zeek did. */
  connection(way: Way, reason: string, remote: string): void {
    this.#connections[way].note(reason, 1, remote);
  }

  /** Says what has not been said yet. */
  close(): void {
    const { broker, websocket } = this.#connections;
    for (const report of [this.#unmapped, this.#undelivered, this.#refused, this.#ignored, broker, websocket]) {
      report.flush();
    }
  }
}

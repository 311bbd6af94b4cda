import {
  type AppContext,
  createMessageFactory,
  createMetrics,
  type HealthReport,
  JoinableQueue,
  type Message,
} from "@threatbus/core";
import { RecordingLogger } from "@threatbus/testkit";
import type { HttpOptions } from "../src/options.ts";

function unasked(): never {
  throw new Error("no message passes through this plugin");
}

/** Stands in for the bus: it has a health and metrics, and no messages. */
export class FakeBus {
  readonly metrics = createMetrics();
  readonly logger = new RecordingLogger();
  /** What it says when it is asked how it is. */
  report: HealthReport;

  constructor(report: HealthReport) {
    this.report = report;
  }

  context(config: HttpOptions): AppContext<HttpOptions> {
    return {
      config,
      logger: this.logger,
      inq: new JoinableQueue<Message>(1),
      metrics: this.metrics,
      signal: new AbortController().signal,
      messages: createMessageFactory("http"),
      logId: undefined,
      health: () => this.report,
      createOutq: unasked,
      subscribe: unasked,
      unsubscribe: unasked,
    };
  }
}

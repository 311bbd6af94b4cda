import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { connect, type Gap, type SubscribeOptions, type Subscription } from "@threatbus/client";
import { DropReport, type Logger, messageOf, StoppableWorker, type WorkerContext } from "@threatbus/core";
import type { Registry } from "prom-client";
import type { ConnectorContext, ConnectorDefinition } from "./definition.ts";
import { Health } from "./health.ts";
import { counter } from "./metrics.ts";
import type { SharedSettings } from "./options.ts";

/** Milliseconds that starting and all workers may take to end: longer than startCommand takes to end a program. */
const STOP_TIMEOUT = 8_000;
/** Milliseconds for what a connector does at its end. */
const END_TIMEOUT = 5_000;

/** Milliseconds that the bus may take to accept what is published until the health tells of it. */
const PUBLISH_PATIENCE = 5_000;

export interface SessionParts<Settings extends SharedSettings> {
  readonly definition: ConnectorDefinition<Settings>;
  readonly settings: Settings;
  readonly logger: Logger;
  readonly metrics: Registry;
}

/** The piece of work that a connector gives to `work`. */
class Worker extends StoppableWorker {
  readonly #run: (signal: AbortSignal) => Promise<void>;

  constructor(name: string, context: WorkerContext, run: (signal: AbortSignal) => Promise<void>) {
    super(name, context);
    this.#run = run;
  }

  protected override run(signal: AbortSignal): Promise<void> {
    return this.#run(signal);
  }
}

/** One connector at work, from `run` to its end. */
export class Session<Settings extends SharedSettings> {
  readonly health: Health;
  readonly #parts: SessionParts<Settings>;
  readonly #end = new AbortController();
  readonly #client;
  readonly #workers: Worker[] = [];
  readonly #drops: DropReport;
  /** What the bus has not accepted in good time. */
  #late = 0;
  #started: Promise<(() => Promise<void>) | undefined> | undefined;

  constructor(parts: SessionParts<Settings>) {
    const { settings, logger, metrics, definition } = parts;
    this.#parts = parts;
    this.health = new Health(metrics);
    this.health.watch(() => this.#workers.map(({ name, healthy }) => [name, { ok: healthy }] as const));
    this.#client = connect({ endpoint: settings.threatbus, name: `threatbus-${definition.name}`, logger });
    const dropped = counter(metrics, "threatbus_connector_dropped_total", {
      help: "What was not delivered, by reason.",
      labels: ["reason"],
    });
    this.#drops = new DropReport({ logger, counter: dropped });
  }

  /** Resolves when the connector is ready. */
  async start(): Promise<void> {
    const { definition, settings, logger, metrics } = this.#parts;
    const published = counter(metrics, "threatbus_connector_published_total", {
      help: "Objects that the bus has accepted.",
    });
    const context: ConnectorContext<Settings> = {
      settings,
      logger,
      metrics,
      health: this.health,
      drops: this.#drops,
      signal: this.#end.signal,
      client: this.#client,
      subscribe: (topics, options) => this.#subscribe(topics, options ?? {}),
      publish: async (objects, signal = this.#end.signal) => {
        published.inc(await this.#watched(this.#client.publishAccepted(objects, { signal })));
      },
      work: (name, run) => this.#work(name, run),
      stateFile: (name) => this.#stateFile(name),
    };
    this.#started = definition.run(context);
    await this.#started;
  }

  /**
   * Ends the workers, then what the connector does at its end, then the connection; also while it starts. What does not
   * end in time is left, and named in the log. Never rejects.
   */
  async stop(): Promise<void> {
    this.#end.abort();
    const deadline = AbortSignal.timeout(STOP_TIMEOUT);
    // Why it could not start is told by `start`.
    const atEnd = await this.#before(
      deadline,
      "start",
      this.#started?.catch(() => undefined),
    );
    for (const worker of this.#workers) worker.stop();
    await Promise.all(this.#workers.map((worker) => this.#before(deadline, worker.name, worker.join())));
    await this.#before(AbortSignal.timeout(END_TIMEOUT), "end", atEnd?.());
    this.#drops.flush();
    await this.#client.close();
  }

  /** The outcome of a step; undefined when it failed, or has not ended before the deadline. */
  async #before<T>(deadline: AbortSignal, step: string, running: Promise<T> | undefined): Promise<T | undefined> {
    const over = Promise.withResolvers<never>();
    const giveUp = (): void => over.reject(new Error("it takes too long, and is left"));
    deadline.addEventListener("abort", giveUp, { once: true });
    if (deadline.aborted) giveUp();
    try {
      return await Promise.race([running, over.promise]);
    } catch (error) {
      this.#parts.logger.error({ step, error: messageOf(error) }, "the connector did not end as it should");
      return undefined;
    } finally {
      deadline.removeEventListener("abort", giveUp);
    }
  }

  /** A connector that only publishes has nothing else that shows whether the bus is there. */
  async #watched<T>(publishing: Promise<T>): Promise<T> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#late += 1;
      this.health.set("publish", false, `waiting for Threat Bus (${this.#parts.settings.threatbus})`);
    }, PUBLISH_PATIENCE);
    try {
      return await publishing;
    } finally {
      clearTimeout(timer);
      if (isLate) this.#late -= 1;
      if (isLate && this.#late === 0) this.health.set("publish", true);
    }
  }

  #work(name: string, run: (signal: AbortSignal) => Promise<void>): void {
    const worker = new Worker(name, this.#parts, run);
    this.#workers.push(worker);
    worker.start();
  }

  #stateFile(name: string): string {
    const directory = resolve(this.#parts.settings.state_dir);
    mkdirSync(directory, { recursive: true, mode: 0o750 });
    return join(directory, name);
  }

  #subscribe(topics: string | readonly string[], options: SubscribeOptions & { readonly name?: string }): Subscription {
    const { settings, logger, definition } = this.#parts;
    const { name: part = "bus", ...rest } = options;
    const positions = rest.position === undefined ? { positionFile: this.#stateFile(`${part}.position`) } : {};
    const days = settings.snapshot;
    const history = days === 0 ? {} : { snapshot: `${days}d`, snapshotOnResubscribe: true };
    this.health.set(part, false, "connecting to Threat Bus");
    return this.#client.subscribe(topics, {
      ...history,
      ...positions,
      signal: this.#end.signal,
      ...rest,
      name: `threatbus-${definition.name}`,
      onStateChange: (state) => {
        this.health.set(part, state === "live", state === "live" ? undefined : `${state} (${settings.threatbus})`);
        logger.info({ subscription: part, state }, "subscription");
        rest.onStateChange?.(state);
      },
      onGap: (gap: Gap) => {
        logger.warn({ subscription: part, gap }, "messages may be missing");
        rest.onGap?.(gap);
      },
      onUndecodable: (problem) => {
        this.#drops.note(problem.reason, 1, problem.excerpt);
        rest.onUndecodable?.(problem);
      },
    } as SubscribeOptions);
  }
}

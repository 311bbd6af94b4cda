import { type Logger, messageOf, ThreatBusError } from "@threatbus/core";
import type { Metrics } from "./metrics.ts";
import { encodeReply, type ManagementRequest, type Reply, readRequest, type SubscribeRequest } from "./requests.ts";
import { RefusedError, type Subscriptions, UnavailableError } from "./subscriptions.ts";
import { TIMED_OUT, withTimeLimit } from "./time-limit.ts";

const REPLY_LIMIT = 5_000;

export interface ManagementParts {
  readonly subscriptions: Pick<Subscriptions, "add" | "get" | "end">;
  /** The ports that the pub and sub sockets really have. */
  readonly ports: { readonly pub: number; readonly sub: number };
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Milliseconds in which every request is answered, also when a backbone hangs; default 5,000. */
  readonly replyLimit?: number;
}

/** Answers the requests of the manage port (zmq.md, Management protocol). */
export class Management {
  readonly #parts: ManagementParts;
  readonly #replyLimit: number;
  #stopping = false;

  constructor(parts: ManagementParts) {
    this.#parts = parts;
    this.#replyLimit = parts.replyLimit ?? REPLY_LIMIT;
  }

  /** From now on new subscriptions are refused. */
  stopIntake(): void {
    this.#stopping = true;
  }

  /** The reply to one request, whatever it is. Never rejects. */
  async answer(frames: readonly Buffer[]): Promise<Buffer> {
    const [body] = frames;
    const read =
      body !== undefined && frames.length === 1
        ? readRequest(body)
        : { ok: false as const, reply: { status: "error", message: "a request is one frame" } as const };
    const reply = read.ok ? await this.#act(read.request) : read.reply;
    const action = read.ok ? read.request.action : "none";
    this.#parts.metrics.requests.inc({ action, status: reply.status });
    return encodeReply(reply);
  }

  async #act(request: ManagementRequest): Promise<Reply> {
    try {
      if (request.action === "subscribe") return await this.#subscribe(request);
      return await this.#known(request.action, request.topic);
    } catch (error) {
      if (error instanceof UnavailableError) {
        return { status: "error", message: error.message, code: "TB_UNAVAILABLE" };
      }
      if (error instanceof RefusedError) return { status: "error", message: error.message };
      if (error instanceof ThreatBusError && error.code === "TB_NO_LOG") {
        return { status: "error", message: `${error.message}. ${error.hint}`, code: error.code };
      }
      this.#parts.logger.error({ action: request.action, error: messageOf(error) }, "a management request failed");
      return { status: "error", message: "the request failed; the log of the bus says why" };
    }
  }

  async #subscribe(request: SubscribeRequest): Promise<Reply> {
    const { subscriptions, ports, logger } = this.#parts;
    if (this.#stopping) throw new UnavailableError("shutting down");
    const adding = subscriptions.add(request);
    const subscription = await withTimeLimit(adding, this.#replyLimit);
    if (subscription === TIMED_OUT) {
      // Nobody will hear of its p2p topic: it ends as soon as it is there.
      adding.then(
        (late) => subscriptions.end(late, "abandoned"),
        (error: unknown) => logger.error({ error: messageOf(error) }, "a late subscription failed"),
      );
      throw new UnavailableError("the backbone does not answer");
    }
    logger.info({ subscription: subscription.name, topics: shortened(request.topics) }, "app subscribed");
    const reply = { topic: subscription.topic, pub_port: ports.pub, sub_port: ports.sub, status: "success" } as const;
    // Programs written for the original get exactly what it gave.
    const start = request.positions || request.from !== undefined ? subscription.start : {};
    return { ...reply, ...start, ...(request.receipts ? { receipts: true } : {}) };
  }

  async #known(action: "unsubscribe" | "heartbeat", topic: string): Promise<Reply> {
    const { subscriptions } = this.#parts;
    const subscription = subscriptions.get(topic);
    if (subscription === undefined) return { status: "error", message: "no such subscription: subscribe again" };
    if (action === "heartbeat") subscription.liveness.heartbeat();
    else await withTimeLimit(subscriptions.end(subscription, "unsubscribed"), this.#replyLimit);
    return { status: "success" };
  }
}

/** Enough of the topics for a log line. */
function shortened(topics: readonly string[]): readonly string[] {
  const shown = topics.slice(0, 5).map((topic) => topic.slice(0, 100));
  return topics.length > shown.length ? [...shown, `and ${topics.length - shown.length} more`] : shown;
}

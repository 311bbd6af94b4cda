import type { Address } from "@threatbus/zmtp";
import { Req } from "@threatbus/zmtp";
import { ClientError } from "./errors.ts";
import type { FailureReply, SubscribeReply, SuccessReply } from "./protocol/replies.ts";
import { decodeReply, decodeSubscribeReply } from "./protocol/replies.ts";
import type { ManagementRequest, SubscribeRequest } from "./protocol/requests.ts";
import { encodeRequest, MAX_MANAGEMENT_BYTES } from "./protocol/requests.ts";

export interface CallOptions {
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

/** The management port of one bus: requests, one after another, and their replies. */
export class Management {
  readonly #req = new Req({ maxMessageSize: MAX_MANAGEMENT_BYTES });
  readonly #where: string;
  #answers = 0;

  constructor(address: Address) {
    this.#where = `${address.host}:${address.port}`;
    this.#req.connect(address);
  }

  /** Replies so far, to whatever request. */
  get answers(): number {
    return this.#answers;
  }

  /** @throws ClientError BUS_UNREACHABLE, BAD_REPLY, REQUEST_REFUSED */
  async subscribe(request: SubscribeRequest, options: CallOptions): Promise<SubscribeReply> {
    const reply = await this.#call(request, decodeSubscribeReply, options);
    if (reply.status === "success") return reply;
    const reason = reply.message ?? "no reason given";
    if (reply.code === "TB_UNAVAILABLE") {
      throw new ClientError("BUS_UNREACHABLE", `the bus at ${this.#where} takes no subscription now: ${reason}`);
    }
    const message = `${this.#where} refused the subscription (${reply.status}): ${reason}`;
    throw new ClientError("REQUEST_REFUSED", message, { refusal: reply.code });
  }

  /** Whether the bus still knows the subscription. @throws ClientError BUS_UNREACHABLE, BAD_REPLY */
  async heartbeat(p2pTopic: string, options: CallOptions): Promise<boolean> {
    const reply = await this.#call({ action: "heartbeat", topic: p2pTopic }, decodeReply, options);
    return reply.status === "success";
  }

  /** Whether the bus knew the subscription. @throws ClientError BUS_UNREACHABLE, BAD_REPLY */
  async unsubscribe(p2pTopic: string, options: CallOptions): Promise<boolean> {
    const reply = await this.#call({ action: "unsubscribe", topic: p2pTopic }, decodeReply, options);
    return reply.status === "success";
  }

  close(): Promise<void> {
    return this.#req.close();
  }

  async #call<R extends SubscribeReply | SuccessReply | FailureReply>(
    request: ManagementRequest,
    decode: (bytes: Uint8Array) => R,
    options: CallOptions,
  ): Promise<R> {
    let reply: Buffer;
    try {
      reply = await this.#req.request(encodeRequest(request), options);
    } catch (cause) {
      if (options.signal?.aborted) throw options.signal.reason;
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `no reply from the bus at ${this.#where} to ${request.action}: ${why}`;
      throw new ClientError("BUS_UNREACHABLE", message, { cause });
    }
    this.#answers += 1;
    try {
      return decode(reply);
    } catch (cause) {
      const message = `${this.#where} answered ${request.action} with something that is no reply of Threat Bus`;
      throw new ClientError("BAD_REPLY", message, { cause });
    }
  }
}

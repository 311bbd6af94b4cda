import { type Dispatcher, request } from "undici";
import { noAnswer, OpenctiError } from "./errors.ts";

/** Where OpenCTI is, and how to speak to it. */
export interface TransportOptions {
  /** Base address, with or without a path and a slash at its end. */
  readonly url: string;
  readonly token: string;
  /** How connections are made: TLS, and timeouts of connecting. It stays its maker's. */
  readonly dispatcher: Dispatcher;
  /** Milliseconds for one call, the reply included; default one minute. */
  readonly timeout?: number;
  /** Largest reply in bytes; default 32 MiB. */
  readonly maxReplyBytes?: number;
}

export interface HttpReply {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** Sends one document. GraphqlClient makes an answer of what comes back. */
export interface Transport {
  /** @throws OpenctiError NO_ANSWER, REPLY_TOO_LARGE; the signal's reason */
  post(body: string, signal: AbortSignal): Promise<HttpReply>;
}

/** Speaks HTTP over connections that stay open. */
export class HttpTransport implements Transport {
  readonly #url: string;
  readonly #token: string;
  readonly #timeout: number;
  readonly #maxBytes: number;
  readonly #dispatcher: Dispatcher;

  constructor({ url, token, dispatcher, timeout = 60_000, maxReplyBytes = 32 * 1024 * 1024 }: TransportOptions) {
    this.#url = `${url.replace(/\/+$/, "")}/graphql`;
    this.#token = token;
    this.#dispatcher = dispatcher;
    this.#timeout = timeout;
    this.#maxBytes = maxReplyBytes;
  }

  async post(body: string, signal: AbortSignal): Promise<HttpReply> {
    signal.throwIfAborted();
    const overdue = AbortSignal.timeout(this.#timeout);
    try {
      const reply = await request(this.#url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json",
          authorization: `Bearer ${this.#token}`,
        },
        body,
        dispatcher: this.#dispatcher,
        signal: AbortSignal.any([signal, overdue]),
      });
      const contentType = String(reply.headers["content-type"] ?? "").slice(0, 100);
      return { status: reply.statusCode, contentType, text: await this.#read(reply.body) };
    } catch (error) {
      if (error instanceof OpenctiError) throw error;
      signal.throwIfAborted();
      throw noAnswer(overdue.aborted ? new Error(`none within ${this.#timeout / 1_000} s`, { cause: error }) : error);
    }
  }

  async #read(body: AsyncIterable<Uint8Array>): Promise<string> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of body) {
      length += chunk.length;
      // Leaving the loop ends the connection.
      if (length > this.#maxBytes) {
        throw new OpenctiError("refused", "REPLY_TOO_LARGE", `OpenCTI's reply has more than ${this.#maxBytes} bytes`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  }
}

import type { Address } from "../address.ts";
import { ZmtpError } from "../errors.ts";
import type { SocketOptions } from "../options.ts";
import { Publisher } from "./publisher.ts";
import type { PublishingSocket, SubscriptionListener, TopicSender } from "./publishing.ts";
import { CachingSender } from "./topic-sender.ts";

/** Publishes to the peers it connects to or that connect to it. */
export class Pub implements PublishingSocket {
  readonly #publisher: Publisher;

  constructor(options: SocketOptions & SubscriptionListener = {}) {
    this.#publisher = new Publisher("PUB", options);
  }

  /** Connects, and reconnects for ever, until close(). */
  connect(address: Address): void {
    this.#publisher.hub.connect(address);
  }

  /** Resolves with the address really bound (port 0: any free one); rejects with the error of the operating system. */
  bind(address: Address): Promise<Address> {
    return this.#publisher.bind(address);
  }

  /** Resolves when some peer has a prefix of this topic; rejects on abort, and with SOCKET_CLOSED. */
  async subscribed(topic: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const sender = this.sender(topic);
    while (sender.connections === 0) {
      if (this.#publisher.hub.isClosed) throw new ZmtpError("SOCKET_CLOSED", "the socket was closed");
      await this.#publisher.waiters.next(signal);
    }
  }

  sender(topic: string): TopicSender {
    return new CachingSender(this.#publisher, topic);
  }

  /** Ends all connections, after at most `linger` milliseconds. */
  close(): Promise<void> {
    return this.#publisher.close();
  }
}

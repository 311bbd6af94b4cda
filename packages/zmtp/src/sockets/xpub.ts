import type { Address } from "../address.ts";
import type { SocketOptions } from "../options.ts";
import { Publisher } from "./publisher.ts";
import type { PublishingSocket, SubscriptionListener, TopicSender } from "./publishing.ts";
import { CachingSender } from "./topic-sender.ts";

/** Publishes to the peers that connect to it, and hears of their subscriptions. */
export class Xpub implements PublishingSocket {
  readonly #publisher: Publisher;

  constructor(options: SocketOptions & SubscriptionListener = {}) {
    this.#publisher = new Publisher("XPUB", options);
  }

  /** Resolves with the address really bound (port 0: any free one); rejects with the error of the operating system. */
  bind(address: Address): Promise<Address> {
    return this.#publisher.bind(address);
  }

  /** Is there a connection with a prefix of this topic? */
  hasSubscriber(topic: string): boolean {
    return this.sender(topic).connections > 0;
  }

  sender(topic: string): TopicSender {
    return new CachingSender(this.#publisher, topic);
  }

  /** Ends all connections, after at most `linger` milliseconds. */
  close(): Promise<void> {
    return this.#publisher.close();
  }
}

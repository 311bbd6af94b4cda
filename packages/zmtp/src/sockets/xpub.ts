import type { Address } from "../address.ts";
import type { SocketOptions } from "../options.ts";
import type { PublishingSocket, SubscriptionListener, TopicSender } from "./publishing.ts";

const pending = () => new Error("not written yet");

/** Publishes to the peers that connect to it, and hears of their subscriptions. */
export class Xpub implements PublishingSocket {
  readonly options: SocketOptions & SubscriptionListener;
  constructor(options: SocketOptions & SubscriptionListener = {}) {
    this.options = options;
  }
  bind(_address: Address): Promise<Address> {
    throw pending();
  }
  hasSubscriber(_topic: string): boolean {
    throw pending();
  }
  sender(_topic: string): TopicSender {
    throw pending();
  }
  close(): Promise<void> {
    throw pending();
  }
}

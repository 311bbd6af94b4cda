import type { Address } from "../address.ts";
import type { SocketOptions } from "../options.ts";
import type { PublishingSocket, SubscriptionListener, TopicSender } from "./publishing.ts";

const pending = () => new Error("not written yet");

/** Publishes to the peers it connects to or that connect to it. */
export class Pub implements PublishingSocket {
  readonly options: SocketOptions & SubscriptionListener;
  constructor(options: SocketOptions & SubscriptionListener = {}) {
    this.options = options;
  }
  connect(_address: Address): void {
    throw pending();
  }
  bind(_address: Address): Promise<Address> {
    throw pending();
  }
  subscribed(_topic: string, _signal?: AbortSignal): Promise<void> {
    throw pending();
  }
  sender(_topic: string): TopicSender {
    throw pending();
  }
  close(): Promise<void> {
    throw pending();
  }
}

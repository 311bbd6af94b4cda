import type { Address, SocketEvent, TopicSender } from "@threatbus/zmtp";
import { Pub } from "@threatbus/zmtp";
import type { AppTopic } from "./protocol/frames.ts";

/** One connection to the port where the bus listens; replaced by another when the bus has moved. */
export class Outlet {
  readonly address: Address;
  readonly #pub: Pub;
  readonly #senders = new Map<AppTopic, TopicSender>();
  readonly #replaced = new AbortController();
  #connected = false;

  constructor(address: Address, linger: number, onEvent: (event: SocketEvent) => void) {
    this.address = address;
    this.#pub = new Pub({
      linger,
      onEvent: (event) => {
        if (event.type === "connected") this.#connected = true;
        if (event.type === "disconnected") this.#connected = false;
        onEvent(event);
      },
    });
    this.#pub.connect(address);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Aborted when this connection is not the one to use any more. */
  get replaced(): AbortSignal {
    return this.#replaced.signal;
  }

  sender(topic: AppTopic): TopicSender {
    const known = this.#senders.get(topic);
    if (known !== undefined) return known;
    const sender = this.#pub.sender(topic);
    this.#senders.set(topic, sender);
    return sender;
  }

  /** Resolves when the bus listens to the topic here. */
  subscribed(topic: AppTopic, signal: AbortSignal): Promise<void> {
    return this.#pub.subscribed(topic, signal);
  }

  /** Resolves when everything sent was handed to the kernel, or the connection is gone. */
  async flushed(signal: AbortSignal | undefined): Promise<void> {
    await Promise.all([...this.#senders.values()].map((sender) => sender.flushed(signal)));
  }

  /** Ends the connection after writing what is left, for at most `linger` milliseconds. */
  async close(): Promise<void> {
    this.#replaced.abort();
    await this.#pub.close();
  }
}

/** A subscriber that is connected and does not read until it is told to. */
import { Subscriber } from "zeromq";
import { endpoint, subscribe, unsubscribe } from "./management.ts";
import { indexOf } from "./messages.ts";

/** What a subscriber that had stopped found when it read again. */
export interface CaughtUp {
  /** Messages that came in their place: each number once, in order. */
  readonly inOrder: number;
  /** Messages that came twice or too late. */
  readonly outOfOrder: number;
  readonly seconds: number;
}

/** Milliseconds without a message after which it gives up. */
const idle = 10_000;

export class StalledSubscriber {
  readonly #managePort: number;
  readonly #topic: string;
  readonly #socket: Subscriber;

  private constructor(managePort: number, topic: string, socket: Subscriber) {
    this.#managePort = managePort;
    this.#topic = topic;
    this.#socket = socket;
  }

  /** Subscribes to all indicators and reads none of them. */
  static async start(managePort: number): Promise<StalledSubscriber> {
    const reply = await subscribe(managePort);
    // With the smallest high-water mark, libzmq itself stops reading after the first few messages.
    const socket = new Subscriber({ receiveHighWaterMark: 1, receiveTimeout: idle });
    socket.connect(endpoint(reply.pub_port));
    socket.subscribe(reply.topic);
    return new StalledSubscriber(managePort, reply.topic, socket);
  }

  /** Reads what a load of so many messages has left for it, until it has the last one or nothing comes. */
  async catchUp(messages: number): Promise<CaughtUp> {
    const start = performance.now();
    let next = 0;
    let inOrder = 0;
    let outOfOrder = 0;
    try {
      while (next < messages) {
        const [frame] = await this.#socket.receive();
        const index = frame === undefined ? Number.NaN : indexOf(frame);
        if (index >= next) {
          inOrder += 1;
          next = index + 1;
        } else outOfOrder += 1;
      }
    } catch (error) {
      // Time is up: what is missing counts as lost.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
    return { inOrder, outOfOrder, seconds: (performance.now() - start) / 1000 };
  }

  async end(): Promise<void> {
    this.#socket.close();
    await unsubscribe(this.#managePort, this.#topic);
  }
}

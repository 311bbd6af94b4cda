import type { DeliveryQueue, Message } from "@threatbus/core";

/** The queue of a subscription that keeps whatever it is offered, and never is full. */
export class Recorder implements DeliveryQueue {
  readonly name: string;
  readonly filter = undefined;
  readonly messages: Message[] = [];
  readonly #onMessage: ((count: number) => void) | undefined;

  /** @param onMessage called inside `offer` with the number of messages so far. */
  constructor(name: string, onMessage?: (count: number) => void) {
    this.name = name;
    this.#onMessage = onMessage;
  }

  /** Never waits to be read. */
  get size(): number {
    return 0;
  }

  get count(): number {
    return this.messages.length;
  }

  /** Ids in the order of arrival. */
  get ids(): string[] {
    return this.messages.map(({ id }) => id);
  }

  offer(message: Message): void {
    this.messages.push(message);
    this.#onMessage?.(this.messages.length);
  }

  room(): undefined {
    return undefined;
  }
}

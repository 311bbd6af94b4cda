import type { DeliveryQueue, Message } from "@threatbus/core";

/** The queue of a subscription that keeps whatever it is offered, and never is full. */
export class Recorder implements DeliveryQueue {
  readonly name: string;
  readonly filter = undefined;
  readonly messages: Message[] = [];
  readonly #seen = new Set<string>();
  readonly #once: boolean;
  readonly #onMessage: ((count: number) => void) | undefined;

  /**
   * @param options.once drop what was offered before, as outqs do behind a backbone that may deliver twice.
   * @param options.onMessage called inside `offer` with the number of messages so far.
   */
  constructor(name: string, options: { readonly once?: boolean; readonly onMessage?: (count: number) => void } = {}) {
    this.name = name;
    this.#once = options.once ?? false;
    this.#onMessage = options.onMessage;
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
    if (this.#once) {
      if (this.#seen.has(message.id)) return;
      this.#seen.add(message.id);
    }
    this.messages.push(message);
    this.#onMessage?.(this.messages.length);
  }

  room(): undefined {
    return undefined;
  }
}

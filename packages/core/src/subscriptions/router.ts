import { type Message, type MessageType, TOPICS } from "../contracts/message.ts";
import type { DeliveryQueue, RoomWait } from "../contracts/queues.ts";
import { partsOf } from "../flow/message-bytes.ts";
import type { MessageFilter } from "./filter.ts";

/** Bytes offered to the queues before their room is asked for: far less than the last quarter of one. */
const PART_BYTES = 4 * 1024 * 1024;

/**
 * Finds the queues of a message: those with a topic that is a prefix of the message's, each once. The answer is kept
 * per message type until a subscription changes.
 */
export class Router {
  readonly #topics = new Map<DeliveryQueue, Set<string>>();
  readonly #routes = new Map<MessageType, readonly DeliveryQueue[]>();
  /** Types of the messages delivered since room() was asked for, each once. No Set: see Waiters. */
  #delivered: MessageType[] = [];

  get queues(): Iterable<DeliveryQueue> {
    return this.#topics.keys();
  }

  subscribe(topic: string, queue: DeliveryQueue): void {
    const topics = this.#topics.get(queue);
    if (topics === undefined) this.#topics.set(queue, new Set([topic]));
    else topics.add(topic);
    this.#routes.clear();
  }

  /** Takes back exactly this topic; a shorter or longer one of the same queue stays. */
  unsubscribe(topic: string, queue: DeliveryQueue): void {
    const topics = this.#topics.get(queue);
    if (topics === undefined) return;
    topics.delete(topic);
    if (topics.size === 0) this.#topics.delete(queue);
    this.#routes.clear();
  }

  /** Delivers in parts, each when there is room; how long that may take at most is up to the queues. */
  async deliverWithRoom(messages: readonly Message[]): Promise<void> {
    for (const part of partsOf(messages, PART_BYTES)) {
      await this.room();
      this.deliver(part);
    }
  }

  /** Offers each message to each of its queues; never waits. */
  deliver(messages: readonly Message[]): void {
    for (const message of messages) {
      if (!this.#delivered.includes(message.type)) this.#delivered.push(message.type);
      let filter: MessageFilter | undefined;
      let passes = true;
      for (const queue of this.#routes.get(message.type) ?? this.#findRoute(message.type)) {
        if (queue.filter !== filter) {
          filter = queue.filter;
          passes = filter === undefined || filter.matches(message);
        }
        if (passes) queue.offer(message);
      }
    }
  }

  /**
   * Resolves when more may be delivered; undefined when it may be at once. Waiting for full queues uses up their patience
   * only if it holds up others: while every reader of this traffic still has messages to read, nobody is worse off.
   */
  room(): Promise<void> | undefined {
    let waits: RoomWait[] | undefined;
    for (const queue of this.#topics.keys()) {
      const wait = queue.room();
      if (wait === undefined) continue;
      waits ??= [];
      waits.push(wait);
    }
    const delivered = this.#delivered;
    this.#delivered = [];
    return waits === undefined ? undefined : this.#wait(waits, delivered);
  }

  async #wait(waits: readonly RoomWait[], delivered: readonly MessageType[]): Promise<void> {
    await Promise.all(waits.map(({ over }) => over));
    const heldUp = delivered.some((type) => this.#routes.get(type)?.some(({ size }) => size === 0) === true);
    if (heldUp) for (const wait of waits) wait.charge();
  }

  #findRoute(type: MessageType): readonly DeliveryQueue[] {
    const topic = TOPICS[type];
    const matching: DeliveryQueue[] = [];
    for (const [queue, topics] of this.#topics) {
      for (const prefix of topics) {
        if (!topic.startsWith(prefix)) continue;
        matching.push(queue);
        break;
      }
    }
    const route = groupByFilter(matching);
    this.#routes.set(type, route);
    return route;
  }
}

/** Queues with the same filter stand together, so that it runs once per message. */
function groupByFilter(queues: readonly DeliveryQueue[]): readonly DeliveryQueue[] {
  return [...Map.groupBy(queues, (queue) => queue.filter).values()].flat();
}

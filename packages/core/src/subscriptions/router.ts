import { type Message, type MessageType, TOPICS } from "../contracts/message.ts";
import type { DeliveryQueue } from "../contracts/queues.ts";
import type { MessageFilter } from "./filter.ts";

/**
 * Finds the queues of a message: those with a topic that is a prefix of the message's, each once. The answer is kept
 * per message type until a subscription changes.
 */
export class Router {
  readonly #topics = new Map<DeliveryQueue, Set<string>>();
  readonly #routes = new Map<MessageType, readonly DeliveryQueue[]>();

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

  /** Offers each message to each of its queues; never waits. */
  deliver(messages: readonly Message[]): void {
    for (const message of messages) {
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

  /** Resolves when more may be delivered; undefined when it may be at once. */
  room(): Promise<void> | undefined {
    let waits: Promise<void>[] | undefined;
    for (const queue of this.#topics.keys()) {
      const wait = queue.room();
      if (wait === undefined) continue;
      waits ??= [];
      waits.push(wait);
    }
    return waits === undefined ? undefined : Promise.all(waits).then(() => undefined);
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

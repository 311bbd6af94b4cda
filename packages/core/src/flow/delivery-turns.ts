import type { BackbonePlugin } from "../contracts/backbone-plugin.ts";
import type { Message, MessageType, StixMessage } from "../contracts/message.ts";
import { TOPICS } from "../contracts/message.ts";
import type { DeliveryQueue } from "../contracts/queues.ts";

/**
 * Milliseconds without any delivery after which the next backbone goes on, rather out of order than not at all: longer
 * than any queue can make a backbone wait.
 */
const STALLED = 5_000;

/** A backbone that waits for its turn. */
interface Waiter {
  readonly backbone: string;
  begin(): void;
}

/** Gives messages their positions. @returns those that had none before */
export type Enter = (messages: readonly Message[]) => Promise<readonly StixMessage[]>;

/**
 * Several backbones give messages positions and deliver them one after the other: so every queue gets messages in the
 * order of positions, and a position that a subscriber was told is never ahead of a message that it has still to get.
 * A turn ends when what it gave positions to was delivered, which this sees as a queue of its own beside the outqs.
 */
export class DeliveryTurns implements DeliveryQueue {
  readonly name = "turns";
  readonly filter = undefined;
  /** As if a reader always had something to read: nobody is held up here. */
  readonly size = 1;
  readonly #enter: Enter;
  readonly #onStall: (backbone: string, count: number) => void;
  readonly #stalled: number;
  /** The topics that this queue has at each backbone, and the types that they cover. */
  readonly #topics = new Map<string, Set<string>>();
  readonly #types = new Map<string, Set<MessageType>>();
  /** Who has the turn. */
  #owner: string | undefined;
  /** Turns that were taken and have not ended: one backbone may begin several. */
  #entering = 0;
  /** Positions that were given in this turn, and that were not delivered yet. */
  readonly #due = new Set<number>();
  /** Turns that have begun, and messages that were delivered in them: while it grows, nothing is stalled. */
  #moves = 0;
  readonly #waiting: Waiter[] = [];

  /**
   * @param onStall hears of a backbone whose turn ended although it has still to deliver so many messages
   * @param stalled milliseconds; default 5,000
   */
  constructor(enter: Enter, onStall: (backbone: string, count: number) => void, stalled = STALLED) {
    this.#enter = enter;
    this.#onStall = onStall;
    this.#stalled = stalled;
  }

  /** Before the first outq has this topic at this backbone: from then on deliveries of what it covers are seen. */
  async cover(backbone: string, plugin: Pick<BackbonePlugin, "subscribe">, topic: string): Promise<void> {
    const topics = this.#topics.get(backbone) ?? new Set();
    this.#topics.set(backbone, topics);
    if (topics.has(topic)) return;
    topics.add(topic);
    await plugin.subscribe(topic, this);
    const types = this.#types.get(backbone) ?? new Set();
    this.#types.set(backbone, types);
    for (const type of ["indicator", "sighting"] as const) if (TOPICS[type].startsWith(topic)) types.add(type);
  }

  /** Gives messages positions when the turn of this backbone has come; it then delivers them. */
  async enter(backbone: string, messages: readonly Message[]): Promise<void> {
    await this.#takeTurn(backbone);
    try {
      const types = this.#types.get(backbone);
      for (const { type, position } of await this.#enter(messages))
        if (position !== undefined && types?.has(type) === true) this.#due.add(position);
    } finally {
      this.#entering -= 1;
      this.#endTurn();
    }
  }

  offer(message: Message): void {
    if (message.type !== "indicator" && message.type !== "sighting") return;
    if (message.position === undefined || !this.#due.delete(message.position)) return;
    this.#moves += 1;
    this.#endTurn();
  }

  room(): undefined {
    return undefined;
  }

  async #takeTurn(backbone: string): Promise<void> {
    if (this.#owner !== undefined && this.#owner !== backbone) return this.#wait(backbone);
    this.#begin(backbone);
  }

  #begin(backbone: string): void {
    this.#owner = backbone;
    this.#entering += 1;
    this.#moves += 1;
  }

  /** Hands the turn over, so that nobody overtakes those who wait. */
  #endTurn(): void {
    if (this.#entering > 0 || this.#due.size > 0) return;
    this.#owner = undefined;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#begin(next.backbone);
    next.begin();
  }

  /** Until the turn is handed over. One in which nothing was delivered for long ends. */
  async #wait(backbone: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ backbone, begin: resolve });
    let before = this.#moves;
    const timer = setInterval(() => {
      if (this.#moves === before && this.#entering === 0) this.#giveUpTurn();
      before = this.#moves;
    }, this.#stalled);
    await promise;
    clearInterval(timer);
  }

  /** What it delivers later comes out of order; who resumes behind it after a crash misses it. */
  #giveUpTurn(): void {
    if (this.#owner !== undefined) this.#onStall(this.#owner, this.#due.size);
    this.#due.clear();
    this.#endTurn();
  }
}

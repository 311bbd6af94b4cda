/** Ids for messages that bring none, as those of Threat Bus 2022.5. */
import { createHash } from "node:crypto";

interface Remembered {
  readonly hash: string;
  readonly id: string;
}

/**
 * A message without an id gets a new one: two that are equal are two messages. One that is delivered again, which happens
 * only on a later session, gets the id that it had. Messages are told apart by their bodies, and equal ones by their order.
 * Only what was not acknowledged comes again, so that as many are remembered as the broker sends without that.
 */
export class RedeliveredIds {
  readonly #capacity: number;
  /** What earlier sessions have delivered, and this one has not yet, oldest first. */
  #earlier: Remembered[] = [];
  #current: Remembered[] = [];

  /** @param capacity messages that may be unacknowledged at one time */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** What was remembered so far may be delivered again from now on. */
  beginSession(): void {
    this.#earlier = [...this.#earlier, ...this.#current].slice(-this.#capacity);
    this.#current = [];
  }

  /** The id of a message that is delivered again; undefined when no earlier session has delivered it. */
  recall(body: Buffer): string | undefined {
    if (this.#earlier.length === 0) return undefined;
    const hash = hashOf(body);
    const index = this.#earlier.findIndex((remembered) => remembered.hash === hash);
    return index === -1 ? undefined : this.#earlier.splice(index, 1)[0]?.id;
  }

  /** Remembers the id that a message has got on this session. */
  remember(body: Buffer, id: string): void {
    this.#current.push({ hash: hashOf(body), id });
    // Cut seldom: moving thousands of entries for each message would cost more than the rest.
    if (this.#current.length >= 2 * this.#capacity) this.#current = this.#current.slice(-this.#capacity);
  }
}

function hashOf(body: Buffer): string {
  return createHash("sha256").update(body).digest("base64");
}

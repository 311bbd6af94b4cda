/** Ids for messages that bring none, as those of Threat Bus 2022.5. */
import { createHash } from "node:crypto";

/**
 * A message without an id gets a new one: two that are equal are two messages. One that is delivered again gets the id
 * that it had, if it was seen before; messages are told apart by their bodies, and equal ones by their order. Only what
 * was not acknowledged is delivered again, so that as many have to be remembered as may be on their way.
 */
export class RedeliveredIds {
  readonly #capacity: number;
  /** Ids by hash of the body, oldest first. */
  readonly #ids = new Map<string, string[]>();
  /** Hashes in the order of arrival. */
  readonly #order: string[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The id of a message that is delivered again; undefined when it is not known, or not delivered again. */
  recall(body: Buffer): string | undefined {
    const hash = hashOf(body);
    const ids = this.#ids.get(hash);
    const id = ids?.shift();
    if (ids?.length === 0) this.#ids.delete(hash);
    return id;
  }

  /** Remembers the id that a message has got. */
  remember(body: Buffer, id: string): void {
    const hash = hashOf(body);
    const ids = this.#ids.get(hash);
    if (ids === undefined) this.#ids.set(hash, [id]);
    else ids.push(id);
    this.#order.push(hash);
    if (this.#order.length > this.#capacity) this.#forget(this.#order.shift());
  }

  #forget(hash: string | undefined): void {
    if (hash === undefined) return;
    const ids = this.#ids.get(hash);
    // It may have been recalled and remembered again: then the newer ones stay.
    if (ids === undefined || ids.length <= this.#order.filter((each) => each === hash).length) return;
    ids.shift();
    if (ids.length === 0) this.#ids.delete(hash);
  }
}

function hashOf(body: Buffer): string {
  return createHash("sha256").update(body).digest("base64");
}

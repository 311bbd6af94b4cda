import type { Message } from "../contracts/message.ts";

/** The end of one batch that was taken. */
interface BatchEnd {
  /** Messages taken up to here, since the queue was made. */
  readonly taken: number;
  /** Highest position among them. */
  readonly position: number;
}

/** How far the reader of one outq has got in the durable log: it reports numbers of messages, and this knows positions. */
export class OutqProgress {
  #taken = 0;
  #done = 0;
  #position = 0;
  /** Messages that have to be done before positions count again: the snapshot among them is at its end. */
  #hold = 0;
  readonly #ends: BatchEnd[] = [];

  /** The highest position among messages that were reported done; 0: none. */
  get position(): number {
    return this.#position;
  }

  /** Is a snapshot in the queue of which not all is done? */
  get isHeld(): boolean {
    return this.#done < this.#hold;
  }

  /** A snapshot is at its end, with so many messages in the queue. */
  hold(waiting: number): void {
    this.#hold = this.#taken + waiting;
  }

  /** The oldest messages in the queue were dropped: nobody will take them. */
  dropped(count: number): void {
    // Not what a reader has taken of the snapshot, and not what came behind it.
    this.#hold -= Math.min(count, Math.max(0, this.#hold - this.#taken));
  }

  taken(messages: readonly Message[]): void {
    this.#taken += messages.length;
    const position = highest(messages);
    if (position > 0) this.#ends.push({ taken: this.#taken, position });
  }

  /** @param handed false: the messages were given up */
  done(count: number, handed: boolean): void {
    this.#done += count;
    for (let [end] = this.#ends; end !== undefined && end.taken <= this.#done; [end] = this.#ends) {
      this.#ends.shift();
      if (handed) this.#position = Math.max(this.#position, end.position);
    }
  }
}

function highest(messages: readonly Message[]): number {
  for (let at = messages.length - 1; at >= 0; at--) {
    const message = messages[at];
    if (message?.type !== "indicator" && message?.type !== "sighting") continue;
    if (message.position !== undefined) return message.position;
  }
  return 0;
}

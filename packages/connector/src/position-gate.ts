import type { PositionStore, RememberedPosition } from "@threatbus/client";

/**
 * Lets a position pass to its store only when everything before it is done. For connectors that work on many messages
 * at once: the loop over the subscription has come back long before their work has ended, and after a crash that work
 * is to be done again.
 */
export class PositionGate implements PositionStore {
  readonly #store: PositionStore;
  readonly #onError: (error: unknown) => void;
  /** Numbers of the work that has not ended; begun in ascending order. */
  readonly #open = new Set<number>();
  #begun = 0;
  /** Positions, oldest first, each with the number of the last work begun before it. */
  readonly #waiting: { readonly position: RememberedPosition; readonly behind: number }[] = [];
  #saving: Promise<void> = Promise.resolve();

  /** @param onError hears of a position that could not be saved when its work had ended; a later one will do as well */
  constructor(store: PositionStore, onError: (error: unknown) => void) {
    this.#store = store;
    this.#onError = onError;
  }

  /** Work begins, in the order of the messages. @returns what is to be called when it has ended, however */
  begin(): () => void {
    this.#begun += 1;
    const number = this.#begun;
    this.#open.add(number);
    return () => {
      if (this.#open.delete(number)) this.#pass();
    };
  }

  load(): RememberedPosition | undefined | Promise<RememberedPosition | undefined> {
    return this.#store.load();
  }

  save(position: RememberedPosition): void | Promise<void> {
    // The first of a set is the oldest: everything before it is done.
    if (this.#open.size === 0 && this.#waiting.length === 0) return this.#saveNext(position);
    // Of several positions behind the same work only the newest is of use.
    if (this.#waiting.at(-1)?.behind === this.#begun) this.#waiting.pop();
    this.#waiting.push({ position, behind: this.#begun });
  }

  /** Resolves when the positions that could pass are saved. */
  settled(): Promise<void> {
    return this.#saving;
  }

  #pass(): void {
    const [oldest = Number.POSITIVE_INFINITY] = this.#open;
    let reached: RememberedPosition | undefined;
    while (this.#waiting[0] !== undefined && this.#waiting[0].behind < oldest) {
      reached = this.#waiting.shift()?.position;
    }
    if (reached === undefined) return;
    this.#saveNext(reached).catch((error: unknown) => this.#onError(error));
  }

  /** One after the other: an older position never comes to lie over a newer one. */
  #saveNext(position: RememberedPosition): Promise<void> {
    const saved = this.#saving.then(() => this.#store.save(position));
    this.#saving = saved.catch(() => undefined);
    return saved;
  }
}

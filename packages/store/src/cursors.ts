/** Numbers under names, in memory at once; they travel with the next block of entries, or after a while without one. */
import { StoreError } from "./errors.ts";
import type { CursorValues } from "./protocol.ts";

const MOST_NAMES = 100;
const MOST_LETTERS = 64;
/** Milliseconds that a change waits for a block to go with. */
const PATIENCE = 500;

export class Cursors {
  readonly #values: Map<string, number>;
  readonly #changed = new Set<string>();
  readonly #onDue: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param onDue is called when changes have waited long enough, and takes them */
  constructor(values: CursorValues, onDue: () => void) {
    this.#values = new Map(values);
    this.#onDue = onDue;
  }

  get(name: string): number {
    return this.#values.get(name) ?? 0;
  }

  /** @throws StoreError `TB_STORE_OPTION` for a name or number that cannot be kept, or one name too many */
  set(name: string, value: number): void {
    if (name === "" || name.length > MOST_LETTERS) throw refused(`has a name of ${name.length} characters`);
    if (!Number.isSafeInteger(value)) throw refused(`${name} is ${value}, which is no whole number`);
    if (!this.#values.has(name) && this.#values.size >= MOST_NAMES) throw refused(`${name} is one too many`);
    if (this.#values.get(name) === value) return;
    this.#values.set(name, value);
    this.#changed.add(name);
    this.#timer ??= setTimeout(this.#onDue, PATIENCE);
  }

  /** What the disk has could not be read until now. What was set meanwhile is newer. */
  found(values: CursorValues): void {
    for (const [name, value] of values) if (!this.#values.has(name)) this.#values.set(name, value);
  }

  /** What has changed since it was asked last. */
  take(): CursorValues {
    if (this.#changed.size === 0) return [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const changed = [...this.#changed].map((name) => [name, this.get(name)] as const);
    this.#changed.clear();
    return changed;
  }
}

function refused(reason: string): StoreError {
  const bounds = `there are at most ${MOST_NAMES}, with names of 1 to ${MOST_LETTERS} characters`;
  return new StoreError("TB_STORE_OPTION", `A cursor ${reason}: ${bounds}`);
}

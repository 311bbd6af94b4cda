import { getRandomValues, hash } from "node:crypto";

/** Words of 32 bits that stand for an id: a UUID has 128 bits. */
const WORDS = 4;
/** Half of the slots stay empty, so that a search is short. */
const SLOTS_PER_ID = 2;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Remembers message ids: the last `capacity` of them at least, and up to twice as many. A quarter of a million take 17 MB
 * in all, and give the garbage collector nothing to do, where strings in a Set would take several times that.
 */
export class RecentIds {
  readonly #capacity: number;
  #current: IdTable;
  /** Those before; when the current ones are as many as there may be, these are forgotten. */
  #before: IdTable;

  constructor(capacity = 262_144) {
    this.#capacity = capacity;
    this.#current = new IdTable(capacity);
    this.#before = new IdTable(capacity);
  }

  has(id: string): boolean {
    const words = wordsOf(id);
    return this.#current.has(words) || this.#before.has(words);
  }

  /** @returns false when the id is known already */
  add(id: string): boolean {
    const words = wordsOf(id);
    if (this.#before.has(words) || !this.#current.add(words)) return false;
    if (this.#current.size >= this.#capacity) {
      [this.#before, this.#current] = [this.#current, this.#before];
      this.#current.clear();
    }
    return true;
  }
}

/** A hash table with open addressing; a slot whose first word is 0 is empty. */
class IdTable {
  readonly #slots: Uint32Array;
  readonly #mask: number;
  /** Whoever chooses ids cannot choose their slots. */
  readonly #seeds = getRandomValues(new Uint32Array(WORDS));
  size = 0;

  constructor(capacity: number) {
    // A power of two, so that the mask reaches every slot.
    const count = 2 ** Math.ceil(Math.log2(capacity * SLOTS_PER_ID));
    this.#slots = new Uint32Array(count * WORDS);
    this.#mask = count - 1;
  }

  has(words: Uint32Array): boolean {
    return this.#slots[this.#find(words)] !== 0;
  }

  /** @returns false when it is there already */
  add(words: Uint32Array): boolean {
    const at = this.#find(words);
    if (this.#slots[at] !== 0) return false;
    this.#slots.set(words, at);
    this.size += 1;
    return true;
  }

  clear(): void {
    this.#slots.fill(0);
    this.size = 0;
  }

  /** Where it is, or the empty place where it would be. */
  #find(words: Uint32Array): number {
    for (let slot = this.#firstSlot(words); ; slot = (slot + 1) & this.#mask) {
      const at = slot * WORDS;
      if (this.#slots[at] === 0 || this.#holds(words, at)) return at;
    }
  }

  /** After each word the high bits come down: else ids that differ in those alone would share few slots. */
  #firstSlot(words: Uint32Array): number {
    let mixed = 0;
    for (let index = 0; index < WORDS; index += 1) {
      mixed = Math.imul(mixed ^ (words[index] ?? 0), (this.#seeds[index] ?? 0) | 1);
      mixed ^= mixed >>> 15;
    }
    return mixed & this.#mask;
  }

  #holds(words: Uint32Array, at: number): boolean {
    for (let index = 0; index < WORDS; index += 1) if (this.#slots[at + index] !== words[index]) return false;
    return true;
  }
}

/** The digits of a UUID, which is what Threat Bus gives; of any other id a hash. The first word is not 0. */
function wordsOf(id: string): Uint32Array {
  const words = UUID.test(id) ? uuidWords(id) : hashWords(id);
  // All bits of a UUID count: those of one clock differ in the last bit of the first word alone.
  return words[0] === 0 ? hashWords(id) : words;
}

function uuidWords(id: string): Uint32Array {
  return Uint32Array.of(
    Number.parseInt(id.slice(0, 8), 16),
    Number.parseInt(id.slice(9, 13) + id.slice(14, 18), 16),
    Number.parseInt(id.slice(19, 23) + id.slice(24, 28), 16),
    Number.parseInt(id.slice(28), 16),
  );
}

function hashWords(id: string): Uint32Array {
  const digest = hash("sha256", id, "buffer");
  const words = Uint32Array.from({ length: WORDS }, (_, index) => digest.readUInt32LE(4 * index));
  words[0] = (words[0] ?? 0) | 1;
  return words;
}

import type { Receipts } from "../contracts/log.ts";
import type { Outq } from "../flow/outq.ts";

/** Progress is noted so often per subscription at most, in milliseconds; so exact are the times of receipts. */
const INTERVAL = 5_000;
/** How soon the first progress after a pause is noted. */
const DELAY = 1_000;

/** What is known of one subscription. */
interface Page {
  readonly id: number;
  readonly queue: Outq;
  markedAt: number;
  position: number;
  handed: number;
  lost: number;
}

/**
 * Writes into the durable log how far each subscription has got, a few lines a minute and not one per delivery. A timer
 * runs only while there is something to note.
 */
export class ReceiptBook {
  readonly #receipts: Receipts;
  readonly #now: () => number;
  readonly #pages = new Map<Outq, Page>();
  readonly #changed = new Set<Page>();
  #timer: NodeJS.Timeout | undefined;

  constructor(receipts: Receipts, now: () => number = Date.now) {
    this.#receipts = receipts;
    this.#now = now;
  }

  /** A subscription has begun. */
  open(queue: Outq, plugin: string, topics: readonly string[]): void {
    if (this.#pages.has(queue)) return;
    const start = queue.start ?? 0;
    const id = this.#receipts.open({ plugin, name: queue.name, topics, filter: queue.filter?.definition, start });
    this.#pages.set(queue, { id, queue, markedAt: 0, position: start, handed: 0, lost: 0 });
  }

  /** Its reader has dealt with messages. */
  handed(queue: Outq, count: number): void {
    const page = this.#pages.get(queue);
    if (page === undefined) return;
    page.handed += count;
    this.#note(page);
  }

  /** It has lost messages. */
  lost(queue: Outq, count: number): void {
    const page = this.#pages.get(queue);
    if (page === undefined) return;
    page.lost += count;
    this.#note(page);
  }

  /** It is over. */
  close(queue: Outq): void {
    const page = this.#pages.get(queue);
    if (page === undefined) return;
    this.#mark(page);
    this.#changed.delete(page);
    this.#pages.delete(queue);
    this.#receipts.close(page.id);
  }

  /** Notes everything and ends. */
  end(): void {
    for (const queue of [...this.#pages.keys()]) this.close(queue);
    clearTimeout(this.#timer);
  }

  #note(page: Page): void {
    this.#changed.add(page);
    this.#timer ??= setTimeout(() => this.#write(), DELAY).unref();
  }

  #write(): void {
    this.#timer = undefined;
    const now = this.#now();
    for (const page of this.#changed) {
      // The wall clock may have been put back: then the time noted last says nothing.
      if (Math.abs(now - page.markedAt) < INTERVAL) continue;
      this.#changed.delete(page);
      this.#mark(page);
    }
    if (this.#changed.size > 0) this.#timer = setTimeout(() => this.#write(), DELAY).unref();
  }

  #mark(page: Page): void {
    const position = page.queue.handedTo ?? page.position;
    if (position === page.position && page.lost === 0) return;
    const at = this.#now();
    this.#receipts.mark({ subscription: page.id, position, handed: page.handed, lost: page.lost, at });
    Object.assign(page, { position, markedAt: at, handed: 0, lost: 0 });
  }
}

/**
 * Which thread answers a reading. What is far behind is read by the reading thread, which sees what is committed; the
 * newest, and everything while the disk cannot be written, by the thread that writes, which knows all it has taken. That
 * one also answers while the reading thread is being started, so that the first part does not wait for it.
 */
import type { Settings } from "./options.ts";
import type { Answer, Request } from "./protocol.ts";
import { ReadingThread } from "./reading-thread.ts";

export type Ask = (request: Request) => Promise<Answer>;

/** Fewer positions than this are two parts at most, which the writing thread reads in some milliseconds. */
const FAR_BEHIND = 4000;

export class BulkReader {
  readonly #thread: ReadingThread | undefined;
  readonly #askWriter: Ask;
  readonly #durable: () => number;

  /** @param durable the newest position that is committed */
  constructor(settings: Settings, askWriter: Ask, durable: () => number) {
    // A log that is only read has one thread, which only reads.
    this.#thread = settings.readOnly ? undefined : new ReadingThread(settings);
    this.#askWriter = askWriter;
    this.#durable = durable;
  }

  /** Is there a reading thread that can answer? */
  get isReady(): boolean {
    return this.#thread?.isReady ?? false;
  }

  /** The next part of a reading. */
  async read(request: Extract<Request, { readonly kind: "read" }>): Promise<Answer> {
    if (this.#thread === undefined || this.#durable() - request.after < FAR_BEHIND) return this.#askWriter(request);
    const part = await this.#thread.ask(request);
    if (part === undefined) return this.#askWriter(request);
    const { end, position: after = request.after, skipped = 0 } = part;
    // Where the reading thread has nothing any more, the writing one knows whether that is all.
    if (end !== true || after > request.after + skipped) return { ...part, end: false };
    const rest = await this.#askWriter({ ...request, after });
    return { ...rest, skipped: skipped + (rest.skipped ?? 0) };
  }

  /**
   * Says whom to ask about everything from `start` up to `until`.
   * @param flush brings what is appended into the database
   */
  async askerFor(start: number, until: number, flush: () => Promise<void>): Promise<Ask> {
    const thread = this.#thread;
    if (thread === undefined || until - start < FAR_BEHIND) return this.#askWriter;
    try {
      if (this.#durable() < until) await flush();
    } catch {
      // A disk that takes nothing: the writing thread reads what there is.
      return this.#askWriter;
    }
    return async (request) => (await thread.ask(request)) ?? (await this.#askWriter(request));
  }

  async close(): Promise<void> {
    await this.#thread?.close();
  }
}

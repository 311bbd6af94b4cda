/**
 * A second thread, which only reads: whoever has much to catch up on does not delay the one that writes. It is started
 * when it is first needed, and ends when nobody has asked for a while.
 */
import type { Settings } from "./options.ts";
import type { Answer, Request } from "./protocol.ts";
import { WorkerLink } from "./worker-link.ts";

/** Milliseconds without a question after which the thread ends. */
const IDLE_TIME = 60_000;

export class ReadingThread {
  readonly #settings: Settings;
  readonly #idleTime: number;
  #link: WorkerLink | undefined;
  #starting: Promise<void> | undefined;
  #asked = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(settings: Settings, idleTime = IDLE_TIME) {
    this.#settings = { ...settings, readOnly: true };
    this.#idleTime = idleTime;
  }

  /** Is there a thread that can answer? */
  get isReady(): boolean {
    return this.#link !== undefined;
  }

  /**
   * Asks the thread, which knows what is committed.
   * @returns undefined while there is none: it is being started then, and the writer's thread can answer as well
   */
  async ask(request: Request): Promise<Answer | undefined> {
    const link = this.#link;
    if (link === undefined) {
      if (!this.#isClosed) this.#starting ??= this.#start();
      return undefined;
    }
    clearTimeout(this.#timer);
    this.#asked += 1;
    try {
      return await link.ask(request);
    } catch (error) {
      if (!link.isOver) throw error;
      if (this.#link === link) this.#link = undefined;
      return undefined;
    } finally {
      this.#asked -= 1;
      this.#watch();
    }
  }

  async #start(): Promise<void> {
    const ignore = (): void => undefined;
    try {
      this.#link = (await WorkerLink.open(this.#settings, ignore, ignore, "threatbus-store-reader")).link;
      this.#watch();
    } catch {
      // The writer's thread answers, and says what is wrong with the file if it meets it too.
    } finally {
      this.#starting = undefined;
    }
  }

  /** From now on the thread may be idle. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#asked > 0 || this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#end(), this.#idleTime).unref();
  }

  async #end(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    // Whether it ends as it should or has died: what counts is that it is gone.
    await link?.ask({ kind: "close" }).catch(() => undefined);
    await link?.exited();
  }

  /** Ends the thread after the questions that it has. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#starting;
    await this.#end();
  }
}

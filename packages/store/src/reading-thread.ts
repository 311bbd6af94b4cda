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
  #link: Promise<WorkerLink | undefined> | undefined;
  #asked = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(settings: Settings, idleTime = IDLE_TIME) {
    this.#settings = { ...settings, readOnly: true };
    this.#idleTime = idleTime;
  }

  /** Is there a thread now? */
  get isRunning(): boolean {
    return this.#link !== undefined;
  }

  /**
   * Asks the thread, which knows what is committed.
   * @returns undefined when there is none to be had: the writer's thread can answer as well
   */
  async ask(request: Request): Promise<Answer | undefined> {
    if (this.#isClosed) return undefined;
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.#link ??= this.#start();
    const started = this.#link;
    const link = await started;
    try {
      return await link?.ask(request);
    } catch (error) {
      if (link?.isOver !== true) throw error;
      return undefined;
    } finally {
      this.#asked -= 1;
      if (link === undefined || link.isOver) this.#forget(started);
      else if (this.#asked === 0 && !this.#isClosed)
        this.#timer = setTimeout(() => void this.#end(), this.#idleTime).unref();
    }
  }

  async #start(): Promise<WorkerLink | undefined> {
    const ignore = (): void => undefined;
    const opened = WorkerLink.open(this.#settings, ignore, ignore, "threatbus-store-reader");
    return opened.then(
      ({ link }) => link,
      () => undefined,
    );
  }

  #forget(link: Promise<WorkerLink | undefined>): void {
    if (this.#link === link) this.#link = undefined;
  }

  async #end(): Promise<void> {
    const started = this.#link;
    this.#link = undefined;
    const link = await started;
    // Whether it ends as it should or has died: what counts is that it is gone.
    await link?.ask({ kind: "close" }).catch(() => undefined);
    await link?.exited();
  }

  /** Ends the thread after the questions that it has. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#end();
  }
}

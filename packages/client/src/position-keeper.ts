import { ClientError } from "./errors.ts";
import type { ClientLogger } from "./logger.ts";
import { LossLog } from "./loss-log.ts";
import type { PositionStore, RememberedPosition } from "./position-store.ts";
import { rememberedSchema } from "./position-store.ts";
import { Alarm } from "./waiting.ts";

export interface PositionKeeperOptions {
  readonly store: PositionStore | undefined;
  /** Milliseconds from one saving to the next. */
  readonly pause: number;
  readonly logger: ClientLogger;
  readonly onError: ((error: ClientError) => void) | undefined;
}

/** Milliseconds before a failed saving is tried again. */
const RETRY = 1_000;

/** Remembers the position that the app has reached, and saves it: one at a time, the newest wins. */
export class PositionKeeper {
  readonly #options: PositionKeeperOptions;
  readonly #failures: LossLog;
  readonly #alarm = new Alarm();
  readonly #never = new AbortController().signal;
  #current: RememberedPosition | undefined;
  #saved: RememberedPosition | undefined;
  #saving: Promise<void> | undefined;
  /** Nothing waits any more. */
  #hurried = false;

  constructor(options: PositionKeeperOptions) {
    this.#options = options;
    this.#failures = new LossLog(options.logger, "a position could not be saved; after a restart messages come again");
  }

  get current(): RememberedPosition | undefined {
    return this.#current;
  }

  /** Savings that failed. */
  get failures(): number {
    return this.#failures.total;
  }

  /** @throws ClientError POSITION_UNREADABLE */
  async load(): Promise<RememberedPosition | undefined> {
    try {
      const loaded = (await this.#options.store?.load()) ?? undefined;
      this.#current = loaded === undefined ? undefined : rememberedSchema.parse(loaded);
    } catch (cause) {
      if (cause instanceof ClientError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ClientError("POSITION_UNREADABLE", `the position store gave no position: ${why}`, { cause });
    }
    this.#saved = this.#current;
    return this.#current;
  }

  /** The app has dealt with everything up to here. */
  reach(reached: RememberedPosition): void {
    const { position, log } = this.#current ?? {};
    if (position === reached.position && log === reached.log) return;
    this.#current = reached;
    this.#startSaving();
  }

  /** Saves what is not saved yet, without a pause from now on. Never rejects: what fails is reported as always. */
  async flush(): Promise<void> {
    this.#hurried = true;
    this.#alarm.ring();
    this.#startSaving();
    await this.#saving;
  }

  #startSaving(): void {
    const { store } = this.#options;
    if (store === undefined || this.#saving !== undefined || !this.#isDirty()) return;
    this.#saving = this.#saveAll(store);
  }

  #isDirty(): boolean {
    return this.#current !== this.#saved;
  }

  async #saveAll(store: PositionStore): Promise<void> {
    let done = true;
    while (this.#current !== undefined && this.#isDirty() && (done || !this.#hurried)) {
      done = await this.#save(store, this.#current);
      if (!this.#hurried) await this.#alarm.wait(done ? this.#options.pause : RETRY, this.#never);
    }
    // In the same turn as the last look: what is reached from now on starts anew.
    this.#saving = undefined;
  }

  async #save(store: PositionStore, position: RememberedPosition): Promise<boolean> {
    try {
      await store.save(position);
      this.#saved = position;
      return true;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const error = new ClientError("POSITION_UNSAVED", `position ${position.position} is not saved: ${why}`, {
        cause,
      });
      this.#failures.count("save failed", { err: error });
      this.#options.onError?.(error);
      return false;
    }
  }
}

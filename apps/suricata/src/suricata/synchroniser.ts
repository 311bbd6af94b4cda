import { type Logger, messageOf } from "@threatbus/core";
import { Signal } from "../signal.ts";
import { CommandSocket } from "./command-socket.ts";
import { changeDataset } from "./datasets.ts";
import { SuricataError } from "./errors.ts";
import { RELOAD_TIMES, type ReloadOutcome, type ReloadTimes, reload } from "./reload.ts";
import type { SetChange } from "./set-changes.ts";
import { reloadWithSuricatasc } from "./suricatasc.ts";

export interface SynchroniserParts {
  readonly socket: string;
  readonly suricatasc: string;
  /** `auto`: the socket, and where that does not speak our protocol, suricatasc. */
  readonly reloadWith: "auto" | "socket" | "suricatasc";
  /** Milliseconds from one reload to the next, and to another try. */
  readonly interval: number;
  readonly logger: Logger;
  readonly health: { set(part: string, ok: boolean, detail?: string): void };
  readonly onReload: (outcome: ReloadOutcome) => void;
  readonly note: (reason: string, count: number, sample: string) => void;
  readonly times?: ReloadTimes;
  /** Milliseconds until another try when a reload is under way; default 5,000. */
  readonly busyPause?: number;
}

const BUSY_PAUSE = 5_000;
/** More changes than this are cheaper to bring with a reload. */
const MAX_CHANGES = 50_000;
const PART = "suricata";

/**
 * Brings to Suricata what is in the files: a reload for rules and lists of hashes, commands for datasets. One thing
 * after the other, so that what changes during a reload is told after it. Nothing is taken for done that Suricata has
 * not confirmed.
 */
export class Synchroniser {
  readonly #parts: SynchroniserParts;
  readonly #wake = new Signal();
  /** By set and value: the last change counts. */
  #changes = new Map<string, SetChange>();
  /** Each writing of files is a number; Suricata has loaded those up to `#loaded`. */
  #written = 1;
  #loaded = 0;
  #nextReload = 0;

  constructor(parts: SynchroniserParts) {
    this.#parts = parts;
    this.#wake.set();
  }

  /** Whether Suricata does not have everything yet. */
  get pending(): boolean {
    return this.#written > this.#loaded || this.#changes.size > 0;
  }

  changed({ reload: needed, sets }: { readonly reload: boolean; readonly sets: readonly SetChange[] }): void {
    for (const change of sets) this.#changes.set(`${change.set.name} ${change.value}`, change);
    const isMuch = this.#changes.size > MAX_CHANGES;
    // The reload brings them; kept while Suricata is away they would only grow.
    if (isMuch) this.#changes.clear();
    if (needed || isMuch || this.#parts.reloadWith === "suricatasc") this.#written += 1;
    this.#wake.set();
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let pause: number | undefined;
    while (!signal.aborted) {
      await this.#wake.wait(signal, pause);
      if (signal.aborted) return;
      try {
        await this.#step(signal);
        this.#parts.health.set(PART, true);
        pause = this.#untilReload();
      } catch (error) {
        if (signal.aborted) return;
        pause = this.#failed(error);
      }
    }
  }

  #untilReload(): number | undefined {
    return this.#written > this.#loaded ? Math.max(0, this.#nextReload - performance.now()) : undefined;
  }

  #failed(error: unknown): number {
    const { logger, health, interval, busyPause = BUSY_PAUSE } = this.#parts;
    if (error instanceof SuricataError && error.reason === "busy") {
      logger.info({}, "Suricata is reloading its rules already, asking again");
      this.#nextReload = performance.now() + busyPause;
      return busyPause;
    }
    const detail = messageOf(error);
    health.set(PART, false, detail);
    logger.warn({ error: detail }, "Suricata does not have the newest indicators yet, trying again");
    this.#nextReload = performance.now() + interval;
    return interval;
  }

  async #step(signal: AbortSignal): Promise<void> {
    const due = this.#written > this.#loaded && performance.now() >= this.#nextReload;
    if (!due && this.#changes.size === 0) return;
    const { reloadWith, socket, suricatasc, logger } = this.#parts;
    if (reloadWith === "suricatasc") return this.#reloadApart(signal, due);
    let opened: CommandSocket;
    try {
      opened = await CommandSocket.open(socket, { signal });
    } catch (error) {
      const speaksOther = error instanceof SuricataError && error.reason === "protocol";
      if (reloadWith === "socket" || !speaksOther) throw error;
      logger.warn({ error: messageOf(error), suricatasc }, "the command socket cannot be used, trying suricatasc");
      return this.#reloadApart(signal, true);
    }
    await using connection = opened;
    if (due) await this.#covered(() => reload(connection, this.#parts.times ?? RELOAD_TIMES, signal));
    await this.#tellChanges(connection);
  }

  async #reloadApart(signal: AbortSignal, due: boolean): Promise<void> {
    if (!due) return;
    await this.#covered(async () => {
      await reloadWithSuricatasc(this.#parts.suricatasc, this.#parts.socket, signal);
      return { samples: [] };
    });
  }

  /** A reload brings what was in the files when it began, and no more. */
  async #covered(run: () => Promise<ReloadOutcome>): Promise<void> {
    const written = this.#written;
    const changes = new Set(this.#changes.values());
    const outcome = await run();
    this.#loaded = written;
    for (const [key, change] of this.#changes) if (changes.has(change)) this.#changes.delete(key);
    this.#nextReload = performance.now() + this.#parts.interval;
    this.#parts.onReload(outcome);
  }

  async #tellChanges(connection: CommandSocket): Promise<void> {
    for (const [key, change] of this.#changes) {
      try {
        const answer = await changeDataset(connection, change);
        if (answer === "unknown") {
          // The rules that define the set have not been loaded; with them come its values.
          this.#written += 1;
          this.#changes.clear();
          return;
        }
      } catch (error) {
        if (!(error instanceof SuricataError) || error.reason !== "refused") throw error;
        this.#parts.note("dataset_refused", 1, error.message);
      }
      if (this.#changes.get(key) === change) this.#changes.delete(key);
    }
  }
}

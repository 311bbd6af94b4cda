import { setTimeout as sleep } from "node:timers/promises";
import { type Logger, messageOf } from "@threatbus/core";
import { Signal } from "../signal.ts";
import type { SetChange } from "../suricata/set-changes.ts";
import { setChangesOf } from "../suricata/set-changes.ts";
import type { SuricataFiles } from "./files.ts";
import type { Change, Holdings } from "./holdings.ts";
import type { Journal } from "./journal.ts";
import type { IndicatorRecord } from "./record.ts";

/** Milliseconds between two times of writing. */
const PAUSE = 1_000;
const MAX_PAUSE = 60_000;

export interface FlusherParts {
  readonly holdings: Holdings;
  readonly journal: Journal;
  readonly files: SuricataFiles;
  readonly logger: Logger;
  readonly health: { set(part: string, ok: boolean, detail?: string): void };
  /** Work begins; what is returned is called when it is safe. */
  readonly begin: () => () => void;
  /** Hears of what is in the files now. */
  readonly onWritten: (written: { readonly reload: boolean; readonly sets: readonly SetChange[] }) => void;
  readonly pause?: number;
}

/**
 * Brings changes to the disk, at most once a second: first what the indicators are, then the files of Suricata. Only
 * then the messages are dealt with. A disk that refuses is tried again, and takes nobody down.
 */
export class Flusher {
  readonly #parts: FlusherParts;
  readonly #wake = new Signal();
  #records = new Map<string, IndicatorRecord>();
  #sets: SetChange[] = [];
  #filesDirty = true;
  #done: (() => void)[] = [];
  #open = false;

  constructor(parts: FlusherParts) {
    this.#parts = parts;
    this.#wake.set();
  }

  add(change: Change): void {
    if (!this.#open) {
      this.#done.push(this.#parts.begin());
      this.#open = true;
    }
    this.#records.set(change.record.id, change.record);
    this.#sets.push(...setChangesOf(change));
    this.#filesDirty ||= change.rules || change.appeared !== undefined || change.vanished !== undefined;
    this.#wake.set();
  }

  /** Until the signal aborts, and once more then. */
  async run(signal: AbortSignal): Promise<void> {
    const least = this.#parts.pause ?? PAUSE;
    let pause = least;
    while (!signal.aborted) {
      await this.#wake.wait(signal);
      const written = await this.flush();
      if (!written) this.#wake.set();
      pause = written ? least : Math.min(pause * 2, MAX_PAUSE);
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
    await this.flush();
  }

  /** @returns false: it could not be written, and is kept */
  async flush(): Promise<boolean> {
    const records = this.#records;
    const sets = this.#sets;
    const done = this.#done;
    const dirty = this.#filesDirty;
    this.#records = new Map();
    this.#sets = [];
    this.#done = [];
    this.#open = false;
    this.#filesDirty = false;
    const { holdings, journal, files, health, logger, onWritten } = this.#parts;
    try {
      await journal.append([...records.values()]);
      const reload = dirty && (await files.write(holdings));
      await journal.compact(holdings.size, () => holdings.records());
      health.set("files", true);
      for (const end of done) end();
      if (reload || sets.length > 0) onWritten({ reload, sets });
      return true;
    } catch (error) {
      const detail = messageOf(error);
      health.set("files", false, detail);
      logger.error({ error: detail }, "files cannot be written, trying again");
      // What came in meanwhile is newer.
      this.#records = new Map([...records, ...this.#records]);
      this.#sets.unshift(...sets);
      this.#done.unshift(...done);
      this.#filesDirty ||= dirty;
      return false;
    }
  }
}

import { readFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileAtomically } from "@threatbus/connector";
import { systemCodeOf } from "@threatbus/core";

/** Milliseconds between two looks. */
const INTERVAL = 1_000;

/**
 * The wish to import existing indicators, from the command `import` to the connector, which may run at that time or
 * not: a file in `state_dir` that holds the date where the import is to begin.
 */
export class ImportRequest {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws the system's error */
  async ask(since: Date): Promise<void> {
    await writeFileAtomically(this.#path, `${since.toISOString()}\n`);
  }

  /** From when on; undefined: nobody asks. A file with anything else in it asks for nothing. */
  async pending(): Promise<Date | undefined> {
    const text = await readFile(this.#path, "utf8").catch((error: unknown) => {
      if (systemCodeOf(error) === "ENOENT") return "";
      throw error;
    });
    const date = new Date(text.slice(0, 100).trim());
    return Number.isNaN(date.getTime()) ? undefined : date;
  }

  /** It is being done. */
  async done(): Promise<void> {
    await rm(this.#path, { force: true });
  }

  /** Resolves when somebody asks. @throws the signal's reason */
  async wanted(signal: AbortSignal): Promise<void> {
    while ((await this.pending().catch(() => undefined)) === undefined) {
      await sleep(INTERVAL, undefined, { signal });
    }
  }
}

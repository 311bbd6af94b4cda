import { stat } from "node:fs/promises";
import { createMessageFactory, type StixMessage } from "@threatbus/core";
import { CommandError, EXIT } from "@threatbus/core/process";
import type { Store } from "@threatbus/store";
import { interruption } from "../../connection.ts";
import { readCandidates, readInput } from "../../input.ts";
import { Progress } from "../../progress.ts";
import { complain, print, safe } from "../../terminal.ts";
import { check, rejection } from "../../verdict.ts";
import { counted } from "./format.ts";
import { type LogOptions, openWriter, pathOf } from "./open.ts";

export interface ImportOptions extends LogOptions {
  readonly dryRun?: boolean;
}

/** What the records say where they come from. */
const SOURCE = "import";
const BATCH = 256;
const BATCH_BYTES = 1024 * 1024;

/**
 * `threatbus log import`: valid objects are appended, each refused one is reported with its line; exit code 1 when there
 * was any, 130 when interrupted. What it says to be in the log is on the disk.
 * @throws CommandError when the file cannot be read or a bus has the log open; StoreError when it cannot be written
 */
export async function importFile(file: string, options: ImportOptions): Promise<void> {
  const signal = interruption();
  // A wait for input that does not come ends too.
  signal.addEventListener("abort", () => process.stdin.destroy());
  const path = await pathOf(options);
  const target = options.dryRun ? new Target(undefined) : new Target({ path, file });
  let rejected = 0;
  try {
    rejected = await feed(file, target, signal);
    await target.finish();
  } catch (thrown) {
    if (target.safe > 0) complain(`${counted(target.safe, "object is", "objects are")} in the log already`);
    throw thrown;
  } finally {
    await target.close();
  }
  const done = counted(target.taken, "object");
  const refused = rejected > 0 ? `; ${counted(rejected, "was", "were")} refused` : "";
  const verb = options.dryRun ? "would be added to" : `${target.taken === 1 ? "was" : "were"} added to`;
  await print(`${done} ${verb} the log ${safe(path)}${target.positions}${refused}`);
  if (rejected > 0) process.exitCode = EXIT.failure;
  if (signal.aborted) process.exitCode = EXIT.interrupted;
}

/** @returns how many objects were refused */
async function feed(file: string, target: Target, signal: AbortSignal): Promise<number> {
  const size = file === "-" ? undefined : (await stat(file).catch(() => undefined))?.size;
  const progress = new Progress({ total: size });
  let read = 0;
  let rejected = 0;
  const source = readInput(file, (count) => {
    read += count;
  });
  const messages = createMessageFactory(SOURCE);
  try {
    for await (const candidate of readCandidates(source)) {
      if (signal.aborted) break;
      const checked = check(candidate);
      if (checked.ok) await target.add(messages.stix(checked.parsed));
      else {
        rejected += 1;
        progress.clear();
        complain(rejection(checked.line, checked.error));
      }
      progress.update(read, target.taken);
    }
  } catch (thrown) {
    // The wait for input was ended.
    if (!(signal.aborted && thrown instanceof CommandError)) throw thrown;
  } finally {
    progress.clear();
  }
  return rejected;
}

/** The log, opened with the first object, so that a file without one makes none; or nothing, for a dry run. */
class Target {
  readonly #place: { readonly path: string; readonly file: string } | undefined;
  #store: Store | undefined;
  #before = 0;
  #batch: StixMessage[] = [];
  #bytes = 0;
  taken = 0;

  constructor(place: { readonly path: string; readonly file: string } | undefined) {
    this.#place = place;
  }

  /** Objects that the disk has. */
  get safe(): number {
    return this.#store === undefined ? 0 : this.#store.durable - this.#before;
  }

  /** ` (positions 1 to 3)`. */
  get positions(): string {
    if (this.#store === undefined) return "";
    return ` (positions ${this.#before + 1} to ${this.#before + this.taken})`;
  }

  async add(message: StixMessage): Promise<void> {
    this.taken += 1;
    if (this.#place === undefined) return;
    if (this.#store === undefined) await this.#open(this.#place.path, this.#place.file);
    this.#batch.push(message);
    this.#bytes += message.bytes.length;
    if (this.#batch.length >= BATCH || this.#bytes >= BATCH_BYTES) await this.#append();
  }

  async #open(path: string, file: string): Promise<void> {
    const from = file === "-" ? "-" : safe(file);
    this.#store = await openWriter({ path }, `Stop it, or let it take the file: threatbus publish ${from}`);
    this.#before = this.#store.last;
  }

  async #append(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#bytes = 0;
    await this.#store?.append(batch);
    this.#refuse();
  }

  /** A log that cannot take what it is given ends the import: nothing is left out in silence. */
  #refuse(): void {
    const error = this.#store?.error;
    if (error !== undefined) throw error;
  }

  /** Waits for the disk. @throws StoreError when it would not take everything */
  async finish(): Promise<void> {
    await this.#append();
    await this.#store?.flush();
    this.#refuse();
    const missing = this.#store === undefined ? 0 : this.taken - this.safe;
    if (missing > 0) throw new CommandError(`the log did not take ${counted(missing, "object")}`);
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }
}

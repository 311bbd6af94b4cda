import { type FileHandle, open, readFile } from "node:fs/promises";
import { writeFileAtomically } from "@threatbus/connector";
import { systemCodeOf } from "@threatbus/core";
import { z } from "zod";

/** One line of the file: an indicator has this value; without a value, it has none any more. */
const lineSchema = z.strictObject({ id: z.string(), value: z.string().optional() });

/** Lines that are no longer of use, beyond which the file is written anew; as many as those in use are let pass, too. */
const MIN_STALE = 1_000;

/**
 * Which indicator has put which value into the live matcher, and so whose a value is: two indicators may share one. Kept
 * in a file to which changes are appended, as the matcher outlives this process.
 */
export class ValueRegistry {
  readonly #path: string;
  /** Value by indicator. */
  readonly #values = new Map<string, string>();
  /** Indicators by value, oldest first. */
  readonly #holders = new Map<string, Set<string>>();
  #unsaved = "";
  #lines = 0;
  #saving: Promise<void> = Promise.resolve();
  #file: FileHandle | undefined;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Reads the file, if there is one.
   * @param onBadLine hears of lines that are none of ours, such as one that a crash has cut off
   * @throws the system's error when it cannot be read or written
   */
  static async open(path: string, onBadLine: (count: number) => void): Promise<ValueRegistry> {
    const registry = new ValueRegistry(path);
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (systemCodeOf(error) === "ENOENT") return "";
      throw error;
    });
    const bad = text.split("\n").filter((line) => line !== "" && !registry.#load(line)).length;
    if (bad > 0) onBadLine(bad);
    await registry.#rewrite();
    return registry;
  }

  /** Values in the matcher. */
  get size(): number {
    return this.#holders.size;
  }

  values(): Iterable<string> {
    return this.#holders.keys();
  }

  /** Indicators that have a value. */
  get indicators(): number {
    return this.#values.size;
  }

  has(id: string): boolean {
    return this.#values.has(id);
  }

  /** The indicators that have this value, oldest first. */
  holders(value: string): readonly string[] {
    return [...(this.#holders.get(value) ?? [])];
  }

  /**
   * Says which value an indicator has from now on; undefined: none.
   * @returns the values to look at again: the one it had and the one it has
   */
  set(id: string, value: string | undefined): string[] {
    const old = this.#values.get(id);
    if (old === value) return value === undefined ? [] : [value];
    this.#assign(id, value);
    this.#unsaved += `${JSON.stringify({ id, value })}\n`;
    this.#lines += 1;
    return [old, value].filter((it) => it !== undefined);
  }

  /** Resolves when all changes so far are on the disk. @throws the system's error; the changes are then tried again */
  save(): Promise<void> {
    const saved = this.#saving.then(() => this.#append());
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  async close(): Promise<void> {
    await this.#saving;
    await this.#file?.close();
    this.#file = undefined;
  }

  #load(line: string): boolean {
    try {
      const { id, value } = lineSchema.parse(JSON.parse(line));
      this.#assign(id, value);
      return true;
    } catch {
      return false;
    }
  }

  #assign(id: string, value: string | undefined): void {
    const old = this.#values.get(id);
    if (old !== undefined) {
      const holders = this.#holders.get(old);
      holders?.delete(id);
      if (holders?.size === 0) this.#holders.delete(old);
    }
    if (value === undefined) {
      this.#values.delete(id);
      return;
    }
    this.#values.set(id, value);
    const holders = this.#holders.get(value) ?? new Set();
    this.#holders.set(value, holders.add(id));
  }

  async #append(): Promise<void> {
    const text = this.#unsaved;
    if (text === "") return;
    if (this.#lines > 2 * this.#values.size + MIN_STALE) {
      await this.#rewrite();
      return;
    }
    this.#file ??= await open(this.#path, "a", 0o640);
    await this.#file.appendFile(text);
    await this.#file.datasync();
    this.#unsaved = this.#unsaved.slice(text.length);
  }

  async #rewrite(): Promise<void> {
    const { length } = this.#unsaved;
    const lines = [...this.#values].map(([id, value]) => `${JSON.stringify({ id, value })}\n`);
    await this.#file?.close();
    this.#file = undefined;
    await writeFileAtomically(this.#path, lines.join(""));
    this.#lines = lines.length;
    this.#unsaved = this.#unsaved.slice(length);
  }
}

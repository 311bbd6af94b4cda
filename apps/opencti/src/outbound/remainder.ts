import { type FileHandle, open } from "node:fs/promises";
import { systemCodeOf } from "@threatbus/core";

/** The file of what remains of a replay, made when the first line comes. */
export class Remainder {
  readonly #base: string;
  #file: Promise<FileHandle> | undefined;
  #path: string | undefined;
  #count = 0;

  /** @param base path of the file that is replayed */
  constructor(base: string) {
    this.#base = base;
  }

  /** undefined: there is none. */
  get path(): string | undefined {
    return this.#path;
  }

  get count(): number {
    return this.#count;
  }

  /** @param line with its line end. @throws the system's error */
  async add(line: string): Promise<void> {
    this.#file ??= this.#open();
    const file = await this.#file;
    await file.appendFile(line);
    this.#count += 1;
  }

  /** On the disk from then on. @throws the system's error */
  async close(): Promise<void> {
    const file = await this.#file;
    await file?.sync();
    await file?.close();
  }

  /** Never one that exists: it may hold what remained of an earlier replay. */
  async #open(): Promise<FileHandle> {
    for (let number = 1; ; number += 1) {
      this.#path = `${this.#base}.remaining${number === 1 ? "" : `.${number}`}`;
      try {
        return await open(this.#path, "ax", 0o600);
      } catch (error) {
        if (systemCodeOf(error) !== "EEXIST") throw error;
      }
    }
  }
}

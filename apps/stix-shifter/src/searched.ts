import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { writeFileAtomically } from "@threatbus/connector";
import { messageOf } from "@threatbus/core";
import { z } from "zod";

const TYPE = "threatbus-stix-shifter-searched";
const MAX_INDICATORS = 100_000;
/** Bytes; a full file has some 8 MiB. */
const MAX_FILE = 32 * 1024 * 1024;

const fileSchema = z.strictObject({
  type: z.literal(TYPE),
  patterns: z.record(z.string().max(100), z.string().max(64)),
});

/**
 * The pattern that was last searched for, by indicator: an edit that leaves it as it is asks for nothing new. Of 100,000
 * indicators; one that is forgotten is only searched for again.
 */
export class Searched {
  readonly #path: string;
  readonly #digests = new Map<string, string>();
  #dirty = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns why the file could not be used; it begins anew then */
  async load(): Promise<string | undefined> {
    try {
      const found = await stat(this.#path).catch(() => undefined);
      if (found === undefined) return undefined;
      if (found.size > MAX_FILE) return "it is too long";
      const { patterns } = fileSchema.parse(JSON.parse(await readFile(this.#path, "utf8")));
      for (const [id, digest] of Object.entries(patterns)) this.#digests.set(id, digest);
      return undefined;
    } catch (error) {
      return error instanceof z.ZodError || error instanceof SyntaxError ? "it is no file of ours" : messageOf(error);
    }
  }

  has(id: string, pattern: string): boolean {
    return this.#digests.get(id) === digestOf(pattern);
  }

  add(id: string, pattern: string): void {
    // The one changed last stands last.
    this.#digests.delete(id);
    this.#digests.set(id, digestOf(pattern));
    const [oldest] = this.#digests.keys();
    if (this.#digests.size > MAX_INDICATORS && oldest !== undefined) this.#digests.delete(oldest);
    this.#dirty = true;
  }

  delete(id: string): void {
    if (this.#digests.delete(id)) this.#dirty = true;
  }

  /** Writes it if it has changed. @throws the system's error */
  async save(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      const patterns = Object.fromEntries(this.#digests);
      await writeFileAtomically(this.#path, `${JSON.stringify({ type: TYPE, patterns })}\n`);
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }
}

/** 128 bits tell any two patterns apart. */
function digestOf(pattern: string): string {
  return createHash("sha256").update(pattern).digest("hex").slice(0, 32);
}

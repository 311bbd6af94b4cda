import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { ClientError } from "./errors.ts";
import type { PositionStore, RememberedPosition } from "./position-store.ts";
import { rememberedSchema } from "./position-store.ts";

/** Tells our files from all others. */
const TYPE = "threatbus-position";
/** Bytes; ours have some 150. */
const MAX_SIZE = 4_096;

const fileSchema = z.strictObject({ type: z.literal(TYPE), ...rememberedSchema.shape });

/** The position of one subscription in a file of its own: whole at any time, also when the process or the machine dies. */
export class PositionFile implements PositionStore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = resolve(path);
  }

  /** @throws ClientError POSITION_UNREADABLE where the file is not ours, or could not be written later */
  async load(): Promise<RememberedPosition | undefined> {
    try {
      const text = await this.#read();
      if (text === undefined) return undefined;
      const { position, log } = fileSchema.parse(JSON.parse(text));
      return { position, log };
    } catch (cause) {
      if (cause instanceof ClientError) throw cause;
      const why = cause instanceof SyntaxError || cause instanceof z.ZodError ? "it is no position file" : text(cause);
      throw this.#unreadable(why, cause);
    }
  }

  /** Writes a file beside it and puts that in its place. */
  async save({ position, log }: RememberedPosition): Promise<void> {
    const temporary = `${this.#path}.${randomUUID()}.tmp`;
    try {
      await writeDurably(temporary, `${JSON.stringify({ type: TYPE, position, log })}\n`);
      await rename(temporary, this.#path);
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => {});
      throw new Error(`position file ${this.#path} cannot be written: ${text(cause)}`, { cause });
    }
  }

  async #read(): Promise<string | undefined> {
    const found = await stat(this.#path).catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    });
    // Better now than after the first message.
    await access(dirname(this.#path), constants.W_OK);
    if (found === undefined) return undefined;
    if (!found.isFile() || found.size > MAX_SIZE) throw this.#unreadable("it is no position file");
    return readFile(this.#path, "utf8");
  }

  #unreadable(why: string, cause?: unknown): ClientError {
    return new ClientError("POSITION_UNREADABLE", `position file ${this.#path} cannot be used: ${why}`, { cause });
  }
}

async function writeDurably(path: string, content: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

function text(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

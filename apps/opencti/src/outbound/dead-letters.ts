import { open, rename, stat } from "node:fs/promises";
import { z } from "zod";
import type { OpenctiError } from "../graphql/index.ts";

/** One line of the file: what OpenCTI would not take, and why. */
export const deadLetterSchema = z.object({
  time: z.string(),
  reason: z.string(),
  code: z.string(),
  message: z.string(),
  object: z.record(z.string(), z.unknown()),
});
export type DeadLetter = z.infer<typeof deadLetterSchema>;

export interface DeadLetterOptions {
  readonly path: string;
  /** Bytes at which the file is put aside and a new one begun; default 64 MiB. */
  readonly maxBytes?: number;
  /** Files put aside that are kept, as `<path>.1` (the newest), `<path>.2`; default 3. */
  readonly keep?: number;
  /** A file had to be given up to make room. */
  readonly onLost?: (path: string) => void;
}

/** @param body JSON text of the object */
export function deadLetterLine(body: Buffer, error: OpenctiError, now = new Date()): string {
  const { reason, code, message } = error;
  const head = JSON.stringify({ time: now.toISOString(), reason, code, message });
  // The object stays as it was published: big numbers and all. Line ends in JSON text are only white space.
  return `${head.slice(0, -1)},"object":${body.toString("utf8").replaceAll(/[\r\n]/g, " ")}}\n`;
}

/** The file of what OpenCTI refused for good. Each line is on the disk before the object leaves the spool. */
export class DeadLetters {
  readonly #options: Required<Omit<DeadLetterOptions, "onLost">> & DeadLetterOptions;
  #last: Promise<void> = Promise.resolve();

  constructor(options: DeadLetterOptions) {
    this.#options = { maxBytes: 64 * 1024 * 1024, keep: 3, ...options };
  }

  /** @param body JSON text of the object. @throws the system's error; nothing was written then, or all of it */
  write(body: Buffer, error: OpenctiError): Promise<void> {
    const line = deadLetterLine(body, error);
    const written = this.#last.then(() => this.#append(line));
    this.#last = written.catch(() => undefined);
    return written;
  }

  async #append(line: string): Promise<void> {
    const { path, maxBytes } = this.#options;
    const size = (await stat(path).catch(() => undefined))?.size ?? 0;
    if (size > 0 && size + Buffer.byteLength(line) > maxBytes) await this.#rotate();
    // Opened anew for each line: a replay takes the file away.
    const file = await open(path, "a", 0o600);
    try {
      await file.appendFile(line);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  async #rotate(): Promise<void> {
    const { path, keep, onLost } = this.#options;
    const last = `${path}.${keep}`;
    if ((await stat(last).catch(() => undefined)) !== undefined) onLost?.(last);
    for (let number = keep; number > 0; number -= 1) {
      await rename(number === 1 ? path : `${path}.${number - 1}`, `${path}.${number}`).catch(() => undefined);
    }
  }
}

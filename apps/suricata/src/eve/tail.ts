import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";

/** How far a log file was read. */
export const tailPositionSchema = z.object({
  inode: z.string(),
  offset: z.int().min(0),
  /** How the file begins, in base64: an inode may belong to another file tomorrow. */
  head: z.string(),
});
export type TailPosition = z.output<typeof tailPositionSchema>;

export interface TailOptions {
  readonly path: string;
  /** Where to begin in a file that nothing is known of. */
  readonly from: "start" | "end";
  /** Bytes read at a time, and so the longest line. */
  readonly chunk?: number;
  /** `line_too_long`, `log_truncated`, `log_lost`, `torn_line`. */
  readonly note: (reason: string, count: number, sample: string) => void;
}

const CHUNK = 1024 * 1024;
const HEAD_BYTES = 256;
const LINE_FEED = 0x0a;
const COMPRESSED = /\.(?:gz|bz2|xz|zst|lz4)$/;

interface Opened {
  readonly file: FileHandle;
  readonly path: string;
  readonly inode: string;
  offset: number;
  head: Buffer;
  /** In the middle of a line that is too long. */
  skipping: boolean;
}

/**
 * Follows a log file line by line, over rotation (by renaming, or by copying and truncating) and restarts. A line that
 * is not complete is left for later.
 */
export class Tail {
  readonly #options: TailOptions;
  readonly #buffer: Buffer;
  #current: Opened | undefined;
  #position: TailPosition | undefined;
  /** Whether what is in the first file is to be left out. */
  #skipsFirst: boolean;
  /** The file has been replaced: what it still has is the last of it. */
  #leaving = false;
  /** Inodes of the files last left that were all written to at one time, as far as the clock of the file system tells. */
  #left = { mtimeMs: 0, inodes: new Set<string>() };

  constructor(options: TailOptions, position: TailPosition | undefined) {
    this.#options = options;
    this.#buffer = Buffer.alloc(options.chunk ?? CHUNK);
    this.#position = position;
    this.#skipsFirst = options.from === "end" && position === undefined;
  }

  /** Behind the last line that was read; undefined: there was no file yet. */
  get position(): TailPosition | undefined {
    const current = this.#current;
    if (current === undefined) return this.#position;
    return { inode: current.inode, offset: current.offset, head: current.head.toString("base64") };
  }

  /** The next lines; none: there are no more for now. @throws the system's error, but for a file that is missing */
  async read(): Promise<string[]> {
    this.#current ??= await this.#open();
    const current = this.#current;
    // What comes into being later is wanted from its start.
    this.#skipsFirst = false;
    if (current === undefined) return [];
    await this.#checkTruncated(current);
    const { bytesRead } = await current.file.read(this.#buffer, 0, this.#buffer.length, current.offset);
    const lines = this.#split(current, this.#buffer.subarray(0, bytesRead));
    if (lines.length > 0 || current.skipping) return lines;
    if (this.#leaving) {
      await this.#leave(current, bytesRead);
      return this.read();
    }
    this.#leaving = await this.#replaced(current);
    return this.#leaving ? this.read() : lines;
  }

  async close(): Promise<void> {
    this.#position = this.position;
    await this.#current?.file.close();
    this.#current = undefined;
  }

  #split(current: Opened, bytes: Buffer): string[] {
    const end = bytes.lastIndexOf(LINE_FEED) + 1;
    if (end === 0) {
      if (bytes.length < this.#buffer.length) return [];
      if (!current.skipping) this.#options.note("line_too_long", 1, bytes.toString("utf8", 0, 200));
      current.skipping = true;
      current.offset += bytes.length;
      return [];
    }
    const lines = bytes.toString("utf8", 0, end).split("\n").slice(0, -1);
    if (current.skipping) lines.shift();
    current.skipping = false;
    if (current.head.length < HEAD_BYTES && current.offset <= HEAD_BYTES) {
      const head = Buffer.concat([current.head.subarray(0, current.offset), bytes.subarray(0, end)]);
      current.head = Buffer.from(head.subarray(0, HEAD_BYTES));
    }
    current.offset += end;
    return lines.filter((line) => line.trim() !== "");
  }

  async #checkTruncated(current: Opened): Promise<void> {
    if (await isContinued(current.file, current)) return;
    this.#options.note("log_truncated", 1, current.path);
    current.offset = 0;
    current.head = Buffer.alloc(0);
  }

  /** Whether another file has taken its place, one that is written to. */
  async #replaced({ inode }: Opened): Promise<boolean> {
    const now = await stat(this.#options.path).catch(() => undefined);
    return now !== undefined && String(now.ino) !== inode && now.size > 0;
  }

  async #leave(current: Opened, rest: number): Promise<void> {
    if (rest > 0) this.#options.note("torn_line", 1, current.path);
    const { mtimeMs } = await current.file.stat();
    await current.file.close();
    this.#leaving = false;
    if (this.#left.mtimeMs !== mtimeMs) this.#left = { mtimeMs, inodes: new Set() };
    const { inodes } = this.#left;
    inodes.add(current.inode);
    const files = await this.#files();
    const newer = files.filter(
      (file) => file.mtimeMs > mtimeMs || (file.mtimeMs === mtimeMs && !inodes.has(file.inode)),
    );
    newer.sort((a, b) => a.mtimeMs - b.mtimeMs);
    this.#current = await begin(newer[0]?.path ?? this.#options.path, 0);
    this.#position = undefined;
  }

  async #open(): Promise<Opened | undefined> {
    const { path, note } = this.#options;
    const position = this.#position;
    if (position !== undefined) {
      const found = await this.#find(position);
      if (found !== undefined) return found;
    }
    const file = await begin(path, 0);
    if (file === undefined) return undefined;
    if (position !== undefined) note("log_lost", 1, `${path}: the file that was read last is gone`);
    else if (this.#skipsFirst) await this.#skipToEnd(file);
    return file;
  }

  /** The file that was read when the program ended, under whatever name it has now. */
  async #find(position: TailPosition): Promise<Opened | undefined> {
    const head = Buffer.from(position.head, "base64");
    const files = await this.#files();
    // The same file, or else a copy of it.
    for (const { path } of files.sort((a, b) => rank(b, position) - rank(a, position))) {
      const opened = await begin(path, position.offset);
      if (opened === undefined) continue;
      opened.head = head;
      if (await isContinued(opened.file, opened)) return opened;
      await opened.file.close();
    }
    return undefined;
  }

  /** The log and what it was renamed to, `eve.json.1` and `eve.json-20240610`. */
  async #files(): Promise<{ readonly path: string; readonly inode: string; readonly mtimeMs: number }[]> {
    const folder = dirname(this.#options.path);
    const names = await readdir(folder).catch(() => []);
    const own = names.filter((name) => name.startsWith(basename(this.#options.path)) && !COMPRESSED.test(name));
    const files = own.map(async (name) => {
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      return found?.isFile() ? [{ path, inode: String(found.ino), mtimeMs: found.mtimeMs }] : [];
    });
    return (await Promise.all(files)).flat();
  }

  /** Behind the last complete line. */
  async #skipToEnd(current: Opened): Promise<void> {
    const { size } = await current.file.stat();
    const start = Math.max(0, size - this.#buffer.length);
    const { bytesRead } = await current.file.read(this.#buffer, 0, this.#buffer.length, start);
    current.offset = start + this.#buffer.subarray(0, bytesRead).lastIndexOf(LINE_FEED) + 1;
    const head = Buffer.alloc(Math.min(HEAD_BYTES, current.offset));
    await current.file.read(head, 0, head.length, 0);
    current.head = head;
  }
}

function rank({ inode }: { readonly inode: string }, position: TailPosition): number {
  return inode === position.inode ? 1 : 0;
}

async function begin(path: string, offset: number): Promise<Opened | undefined> {
  try {
    const file = await open(path, "r");
    const { ino } = await file.stat();
    return { file, path, inode: String(ino), offset, head: Buffer.alloc(0), skipping: false };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether a file still is what was read of it. */
async function isContinued(file: FileHandle, { offset, head }: Pick<Opened, "offset" | "head">): Promise<boolean> {
  const { size } = await file.stat();
  if (size < offset) return false;
  const now = Buffer.alloc(head.length);
  await file.read(now, 0, now.length, 0);
  return now.equals(head);
}

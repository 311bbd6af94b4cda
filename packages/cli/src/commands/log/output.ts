/** Where an export goes. */
import { once } from "node:events";
import { type FileHandle, open, rm } from "node:fs/promises";
import { CommandError } from "@threatbus/core/process";
import { safe, shown } from "../../terminal.ts";

export interface Output {
  /** Waits where the reader or the disk is slow. */
  write(text: string): Promise<void>;
  /** Everything is written. */
  finish(): Promise<void>;
  /** It is to remain unfinished: a file of half an export goes. */
  discard(): Promise<void>;
}

/** @param file a file that does not exist yet; undefined: standard output. @throws CommandError when it cannot be made */
export async function openOutput(file: string | undefined): Promise<Output> {
  return file === undefined ? STANDARD_OUTPUT : new FileOutput(file, await create(file));
}

const STANDARD_OUTPUT: Output = {
  async write(text) {
    if (!process.stdout.write(shown(text))) await once(process.stdout, "drain");
  },
  async finish() {},
  async discard() {},
};

async function create(file: string): Promise<FileHandle> {
  return await open(file, "wx").catch((cause: unknown) => {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") {
      throw new CommandError(`${safe(file)} exists already: an export never overwrites a file`, undefined, cause);
    }
    throw cannotWrite(file, cause);
  });
}

function cannotWrite(file: string, cause: unknown): CommandError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CommandError(`cannot write ${safe(file)}: ${safe(reason)}`, undefined, cause);
}

class FileOutput implements Output {
  readonly #file: string;
  readonly #handle: FileHandle;

  constructor(file: string, handle: FileHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  async write(text: string): Promise<void> {
    await this.#handle.appendFile(text).catch((cause: unknown) => {
      throw cannotWrite(this.#file, cause);
    });
  }

  async finish(): Promise<void> {
    try {
      await this.#handle.sync();
      await this.#handle.close();
    } catch (cause) {
      await this.discard();
      throw cannotWrite(this.#file, cause);
    }
  }

  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await rm(this.#file, { force: true }).catch(() => undefined);
  }
}

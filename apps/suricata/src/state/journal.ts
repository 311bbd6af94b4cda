import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import { writeFileAtomically } from "@threatbus/connector";
import { type IndicatorRecord, recordSchema } from "./record.ts";

/** A journal is written anew when it has this many lines more than twice what is held. */
const SLACK = 1_000;

/**
 * The indicators on disk: one JSON record a line, the last one of an id counts. What is appended is on the disk before
 * `append` resolves; when lines that no longer count are the most, the file is written anew.
 */
export class Journal {
  readonly #path: string;
  #lines = 0;
  /** The last line may be a part of one: a new one must not be written behind it. */
  #torn = false;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Reads the records in their order.
   * @param onBad hears of a line that is no record
   * @throws the system's error; a file that is missing is empty
   */
  async load(onRecord: (record: IndicatorRecord) => void, onBad: (line: string) => void): Promise<void> {
    const size = await stat(this.#path).then(
      (found) => found.size,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return 0;
        throw error;
      },
    );
    if (size === 0) return;
    const lines = createInterface({ input: createReadStream(this.#path), crlfDelay: Number.POSITIVE_INFINITY });
    for await (const line of lines) {
      this.#lines += 1;
      const record = readRecord(line);
      if (record !== undefined) onRecord(record);
      else if (line !== "") onBad(line);
    }
    // A process that was killed while it wrote may have left a line without an end.
    this.#torn = true;
  }

  /** @throws the system's error; the records are then to be appended again */
  async append(records: readonly IndicatorRecord[]): Promise<void> {
    if (records.length === 0) return;
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    const file = await open(this.#path, "a", 0o640);
    const { size } = await file.stat();
    try {
      const start = this.#torn ? "\n" : "";
      this.#torn = true;
      await file.appendFile(start + text);
      await file.datasync();
      this.#torn = false;
      this.#lines += records.length;
    } catch (error) {
      // On a full disk what was begun would take the room of the next attempt.
      await file.truncate(size).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
  }

  /** Writes the file anew where that makes it a good deal shorter. */
  async compact(held: number, records: () => Iterable<IndicatorRecord>): Promise<void> {
    if (this.#lines <= held * 2 + SLACK) return;
    const lines = Array.from(records(), (record) => `${JSON.stringify(record)}\n`);
    await writeFileAtomically(this.#path, lines.join(""));
    this.#lines = lines.length;
    this.#torn = false;
  }
}

function readRecord(line: string): IndicatorRecord | undefined {
  try {
    return recordSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

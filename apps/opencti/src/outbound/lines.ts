import { createReadStream } from "node:fs";

/** A dead letter has an object of at most 10 MiB. */
const MAX_LINE = 32 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** The lines of a file, empty ones left out. @throws Error for a line that is too long to be ours; the system's error */
export async function* readLines(path: string, maxBytes = MAX_LINE): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let length = 0;
  const add = (piece: Buffer): void => {
    length += piece.length;
    if (length > maxBytes)
      throw new Error(`${path} is no file of dead letters: a line has more than ${maxBytes} bytes`);
    parts.push(piece);
  };
  const line = (): string => {
    const text = Buffer.concat(parts).toString("utf8").trim();
    parts = [];
    length = 0;
    return text;
  };
  const chunks: AsyncIterable<Buffer> = createReadStream(path);
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      add(chunk.subarray(start, end));
      start = end + 1;
      const text = line();
      if (text !== "") yield text;
    }
    add(chunk.subarray(start));
  }
  const text = line();
  if (text !== "") yield text;
}

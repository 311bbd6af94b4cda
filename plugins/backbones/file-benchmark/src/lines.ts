const NEWLINE = 0x0a;

/** One line of a file, without its end. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly bytes: Buffer;
}

/** A line, or all of them together, is longer than allowed. */
export class TooLongError extends Error {
  override readonly name = "TooLongError";
}

export interface LineLimits {
  readonly maxLineBytes: number;
  readonly maxBytes: number;
}

/**
 * Cuts chunks of bytes into lines. Lines are kept as bytes, because JSON text is checked for valid UTF-8 later.
 * @throws TooLongError
 */
export async function* readLines(chunks: AsyncIterable<Buffer>, limits: LineLimits): AsyncGenerator<Line> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let total = 0;
  let number = 1;
  for await (const chunk of chunks) {
    total += chunk.length;
    if (total > limits.maxBytes) throw new TooLongError(`longer than ${limits.maxBytes} bytes`);
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const bytes = Buffer.concat([...pending, chunk.subarray(start, end)]);
      yield { number, bytes: bounded(bytes, number, limits) };
      number += 1;
      start = end + 1;
      pending = [];
      pendingBytes = 0;
    }
    if (start === chunk.length) continue;
    pending.push(chunk.subarray(start));
    pendingBytes += chunk.length - start;
    if (pendingBytes > limits.maxLineBytes) throw tooLong(number, limits);
  }
  if (pendingBytes > 0) yield { number, bytes: Buffer.concat(pending) };
}

function bounded(bytes: Buffer, number: number, limits: LineLimits): Buffer {
  if (bytes.length > limits.maxLineBytes) throw tooLong(number, limits);
  return bytes;
}

function tooLong(number: number, { maxLineBytes }: LineLimits): TooLongError {
  return new TooLongError(`line ${number} is longer than ${maxLineBytes} bytes`);
}

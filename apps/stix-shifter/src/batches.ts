/** Rows translated in one run of STIX-Shifter. */
const MAX_ROWS = 500;

/**
 * Cuts rows into JSON lists of at most 500 rows and `maxBytes` bytes, so that their sightings are on the bus while others
 * are still translated, and one argument holds them. A row that is longer than that alone is left out.
 * @param onTooLong hears of each such row
 */
export function* batches(rows: readonly unknown[], maxBytes: number, onTooLong: () => void): Generator<string> {
  let texts: string[] = [];
  let size = 2;
  for (const row of rows) {
    const text = JSON.stringify(row) ?? "null";
    const bytes = Buffer.byteLength(text) + 1;
    if (bytes + 2 > maxBytes) {
      onTooLong();
      continue;
    }
    if (texts.length === MAX_ROWS || size + bytes > maxBytes) {
      yield `[${texts.join(",")}]`;
      texts = [];
      size = 2;
    }
    texts.push(text);
    size += bytes;
  }
  if (texts.length > 0) yield `[${texts.join(",")}]`;
}

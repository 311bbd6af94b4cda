import type { LogRecord } from "@threatbus/store";

/** Records that are asked for at a time; the log gives no more. */
export const MOST_RECORDS = 10_000;

/** An answer of the log also ends at this size; records count with what the log knows of them besides their bytes. */
const ANSWER_BYTES = 512 * 1024;
const OTHER_BYTES = 1024;

/** Whether the log may have more of what was asked for than these. True may be wrong for long answers, false never is. */
export function mayBeCut(records: readonly LogRecord[]): boolean {
  const most = records.reduce((sum, { bytes }) => sum + 2 * bytes.length + OTHER_BYTES, 0);
  return records.length >= MOST_RECORDS || most >= ANSWER_BYTES;
}

import type { SnapshotQuestion } from "@threatbus/client";
import type { Logger } from "@threatbus/core";
import { parseStix } from "@threatbus/stix";
import type { OpenctiApi } from "../graphql/index.ts";
import type { Loops } from "../loops.ts";

export interface SnapshotAnswerOptions {
  readonly api: OpenctiApi;
  readonly loops: Loops;
  readonly logger: Logger;
  /** false: only indicators that are marked for detection. */
  readonly forwardAll: boolean;
  /** Indicators in one answer at most; default 100,000. */
  readonly maxObjects?: number;
  /** Hears of what could not be sent. */
  readonly onSkipped: (reason: string, sample: string) => void;
}

const PAGE = 100;
/** OpenCTI has nothing older; what is asked for may go back further than there were days. */
const EARLIEST = Date.UTC(1970, 0, 1);

/** The indicators that OpenCTI has of the time asked for, oldest first, fetched page by page as the bus takes them. */
export async function* answerSnapshot(
  options: SnapshotAnswerOptions,
  { type, seconds, id, signal }: Pick<SnapshotQuestion, "type" | "seconds" | "id" | "signal">,
): AsyncGenerator<Buffer> {
  const { api, loops, logger, forwardAll, maxObjects = 100_000, onSkipped } = options;
  if (type !== "indicator" || seconds <= 0) return;
  const since = new Date(Math.max(EARLIEST, Date.now() - seconds * 1_000)).toISOString();
  let after: string | undefined;
  let sent = 0;
  do {
    const page = await api.indicatorPage({ after, first: PAGE, since, onlyDetection: !forwardAll }, signal);
    for (const text of page.objects) {
      if (sent >= maxObjects) {
        logger.warn({ snapshot: id, sent }, "a snapshot is cut: OpenCTI has more indicators than one answer may have");
        return;
      }
      const parsed = text === null ? undefined : parseStix(Buffer.from(text));
      if (parsed?.ok !== true) {
        onSkipped(parsed === undefined ? "snapshot_no_stix" : "snapshot_invalid", text ?? "");
        continue;
      }
      const { object, bytes } = parsed.value;
      if (object.revoked === true) continue;
      // The answer may come back to ourselves.
      loops.published(object.id, object.modified);
      sent += 1;
      yield bytes;
    }
    // A page that leads to itself would never end.
    after = page.next === after ? undefined : page.next;
  } while (after !== undefined);
  logger.debug({ snapshot: id, sent }, "a snapshot is answered");
}

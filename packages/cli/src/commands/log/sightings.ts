/** The sightings of an indicator that the log has. */
import type { LogRecord, Store } from "@threatbus/store";
import { MOST_RECORDS, mayBeCut } from "./answers.ts";
import { objectOf } from "./format.ts";

export interface Sightings {
  /** Sighting objects. */
  readonly count: number;
  /** How often the indicator was seen: what their `count` says, else once each. */
  readonly seen: number;
  /** There may be more than those. */
  readonly isPart: boolean;
  readonly sources: readonly string[];
  /** When the last one was received, in milliseconds since the epoch; undefined: there is none. */
  readonly newest: number | undefined;
}

/** @param id of an indicator */
export async function sightingsOf(store: Store, id: string): Promise<Sightings> {
  const records = await store.byValue(id, { objectPath: "sighting_of_ref", limit: MOST_RECORDS });
  const newest = new Map<string, LogRecord>();
  for (const record of records) {
    const known = newest.get(record.stixId);
    if (known === undefined || known.modified < record.modified) newest.set(record.stixId, record);
  }
  const kept = [...newest.values()].filter(({ removed }) => !removed);
  return {
    count: kept.length,
    seen: kept.reduce((sum, record) => sum + timesSeen(record), 0),
    isPart: mayBeCut(records),
    sources: [...new Set(kept.map(({ source }) => source))],
    newest: kept.length === 0 ? undefined : Math.max(...kept.map(({ receivedAt }) => receivedAt)),
  };
}

/** STIX 2.1 section 5.2: `count` is how often it was seen, 0 included. */
function timesSeen(record: LogRecord): number {
  const object = objectOf(record);
  return object?.type === "sighting" ? (object.count ?? 1) : 1;
}

/** A position of the live stream: `<ms>-<n>`, the id of an event. */
export interface EventId {
  /** Milliseconds since 1970. */
  readonly ms: number;
  readonly sequence: number;
}

const EVENT_ID = /^(\d{1,15})-(\d{1,15})$/;

/** @returns undefined for what is no position */
export function parseEventId(text: string): EventId | undefined {
  const [, ms, sequence] = EVENT_ID.exec(text) ?? [];
  return ms === undefined || sequence === undefined ? undefined : { ms: Number(ms), sequence: Number(sequence) };
}

/** Negative: `a` is the older one. */
export function compareEventIds(a: EventId, b: EventId): number {
  return a.ms - b.ms || a.sequence - b.sequence;
}

/** The position that a date stands for. */
export function eventIdAt(date: Date): string {
  return `${date.getTime()}-0`;
}

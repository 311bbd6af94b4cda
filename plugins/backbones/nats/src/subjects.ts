import { MESSAGE_TYPES, type MessageType, TOPICS } from "@threatbus/core";

const PREFIX = "threatbus";

/** Every subject of the bus; those of the stream. */
export const ALL_SUBJECTS = `${PREFIX}.>`;

/** `stix2/indicator` is `threatbus.stix2.indicator`. */
export function subjectOf(type: MessageType): string {
  return SUBJECTS[type];
}

const SUBJECTS = Object.fromEntries(
  MESSAGE_TYPES.map((type) => [type, `${PREFIX}.${TOPICS[type].replaceAll("/", ".")}`]),
) as Readonly<Record<MessageType, string>>;

const TYPES = new Map(MESSAGE_TYPES.map((type) => [SUBJECTS[type], type]));

/** @returns undefined for a subject under `threatbus.` that is none of the bus. */
export function typeOf(subject: string): MessageType | undefined {
  return TYPES.get(subject);
}

/** The types that a subscription to `topic` covers. */
export function typesUnder(topic: string): readonly MessageType[] {
  return MESSAGE_TYPES.filter((type) => TOPICS[type].startsWith(topic));
}

/** The fewest filter subjects for these types: one for all of them where that is possible. A consumer has at least one. */
export function filtersOf(types: ReadonlySet<MessageType>): readonly string[] {
  return types.size === 0 || MESSAGE_TYPES.every((type) => types.has(type))
    ? [ALL_SUBJECTS]
    : [...types].map(subjectOf).sort();
}

/** The types that a consumer with these filter subjects gets; a filter of somebody else's making counts as all. */
export function typesOf(filters: readonly string[]): readonly MessageType[] {
  const types = filters.map(typeOf);
  return types.length === 0 || types.includes(undefined) ? MESSAGE_TYPES : types.filter((type) => type !== undefined);
}

/** What OpenCTI does with what it is told: checks, upserts, merging (spec/opencti.md 1.6, 2.5 to 2.7). */
import { createHash, randomUUID } from "node:crypto";
import { parsePattern } from "@threatbus/stix";
import { Refusal } from "./graphql-errors.ts";
import { OPENCTI_EXTENSION, type OpenctiState, type StandInUser, type StixData } from "./state.ts";

export type Input = Readonly<Record<string, unknown>>;

const NAMESPACE = Buffer.from("00abedb4aa42466c9c01fed23315a9b7", "hex");
const OBSERVABLE_TYPES = new Set(
  "Unknown IPv4-Addr IPv6-Addr Domain-Name Hostname Url Email-Addr StixFile Mac-Addr Autonomous-System X509-Certificate Mutex Windows-Registry-Key User-Account Network-Traffic".split(
    " ",
  ),
);
/** UTC with milliseconds. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** The id that OpenCTI computes: version 5 of the canonical JSON of what makes the object what it is. */
export function standardId(type: string, parts: Readonly<Record<string, string>>): string {
  const json = JSON.stringify(Object.fromEntries(Object.entries(parts).sort()));
  const bytes = createHash("sha1").update(NAMESPACE).update(json).digest().subarray(0, 16);
  bytes.writeUInt8(((bytes[6] ?? 0) & 0x0f) | 0x50, 6);
  bytes.writeUInt8(((bytes[8] ?? 0) & 0x3f) | 0x80, 8);
  return `${type}--${bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}`;
}

/** OpenCTI's own members of an object. */
export function marksOf(data: StixData): Input {
  const extensions = data.extensions as Readonly<Record<string, Input>> | undefined;
  return extensions?.[OPENCTI_EXTENSION] ?? {};
}

export function internalId(data: StixData): string {
  return String(marksOf(data).id);
}

function isCalled(data: StixData, id: string): boolean {
  const { stix_ids } = marksOf(data);
  return data.id === id || internalId(data) === id || (Array.isArray(stix_ids) && stix_ids.includes(id));
}

export class Entities {
  readonly #state: OpenctiState;
  /** Id to value. */
  readonly labels = new Map<string, string>();
  readonly externalReferences = new Map<string, Input>();
  readonly markings = new Map([
    ["marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", "TLP:CLEAR"],
    ["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", "TLP:GREEN"],
    ["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", "TLP:AMBER"],
  ]);

  constructor(state: OpenctiState) {
    this.#state = state;
  }

  indicators(): StixData[] {
    return [...this.#state.indicators.values()].map(({ data }) => data);
  }

  /** @param id internal, standard or STIX id */
  indicator(id: string): StixData | undefined {
    return this.indicators().find((data) => isCalled(data, id));
  }

  organizations(): StixData[] {
    return [...this.#state.organizations.values()];
  }

  addIndicator(input: Input, user: StandInUser): StixData {
    this.#checkIndicator(input);
    const pattern = String(input.pattern).trim();
    const id = standardId("indicator", { pattern });
    const existing = this.#state.indicators.get(id)?.data;
    if (existing !== undefined && input.update !== true) return existing;
    const data = indicatorOf(id, { ...input, pattern }, existing);
    this.#state.emit({ event: existing === undefined ? "create" : "update", data, origin: { user_id: user.id } });
    return data;
  }

  patchIndicator(id: string, edits: readonly Input[], user: StandInUser): StixData {
    const data = this.#needIndicator(id);
    const changed: Record<string, unknown> = { ...data, modified: new Date().toISOString() };
    const marks: Record<string, unknown> = { ...marksOf(data) };
    for (const { key, value } of edits) {
      const isTrue = Array.isArray(value) && value[0] === "true";
      if (key === "revoked") changed.revoked = isTrue;
      else if (key === "x_opencti_detection") marks.detection = isTrue;
      else throw new Refusal("UNSUPPORTED_ERROR", `${String(key)} cannot be changed`);
    }
    changed.extensions = { [OPENCTI_EXTENSION]: marks };
    this.#state.emit({ event: "update", data: changed as StixData, origin: { user_id: user.id } });
    return changed as StixData;
  }

  deleteIndicator(id: string, user: StandInUser): string {
    const data = this.indicator(id);
    if (data === undefined) throw new Refusal("ALREADY_DELETED_ERROR", "Already deleted elements");
    this.#state.emit({ event: "delete", data, origin: { user_id: user.id } });
    return internalId(data);
  }

  addOrganization(input: Input): StixData {
    const name = String(input.name);
    if (name.length < 2) throw new Refusal("VALIDATION_ERROR", "name is too short");
    const id = standardId("identity", { identity_class: "organization", name: name.toLowerCase() });
    const existing = this.#state.organizations.get(id);
    if (existing !== undefined) return existing;
    const marks = { id: randomUUID(), stix_ids: [], type: "Organization" };
    const data = { id, type: "identity", name, description: input.description, ...extensionOf(marks) };
    this.#state.organizations.set(id, data);
    return data;
  }

  addSighting(input: Input, user: StandInUser): StixData {
    const from = this.indicator(String(input.fromId));
    const to = this.organizations().find((data) => isCalled(data, String(input.toId)));
    const author = this.organizations().find((data) => isCalled(data, String(input.createdBy)));
    if (from === undefined || to === undefined || (input.createdBy != null && author === undefined)) {
      throw new Refusal("MISSING_REFERENCE_ERROR", "Missing reference");
    }
    this.#needMarkings(input);
    const first = time(input, "first_seen");
    const last = time(input, "last_seen");
    if (first > last)
      throw new Refusal("FUNCTIONAL_ERROR", "You cant create a relation with stop_time less than start_time");
    const same = this.#sameSighting(input, from, to, first, last);
    const data = same === undefined ? sightingOf(input, from, to) : merged(same, input, first, last);
    this.#state.sightings.set(internalId(data), data);
    this.#state.emit({ event: same === undefined ? "create" : "update", data, origin: { user_id: user.id } });
    return data;
  }

  /** The one that has this STIX id, or else one of the same two objects at the same time. */
  #sameSighting(input: Input, from: StixData, to: StixData, first: string, last: string): StixData | undefined {
    const all = [...this.#state.sightings.values()];
    const stixId = String(input.stix_id);
    return (
      all.find((data) => isCalled(data, stixId)) ??
      all.find((data) => {
        const isBetween = data.sighting_of_ref === from.id && (data.where_sighted_refs as string[]).includes(to.id);
        return isBetween && String(data.first_seen) <= last && String(data.last_seen) >= first;
      })
    );
  }

  #checkIndicator(input: Input): void {
    const { name, pattern, pattern_type, x_opencti_main_observable_type: main } = input;
    if (String(name).length < 2) throw new Refusal("VALIDATION_ERROR", "name is too short");
    if (pattern_type === "stix" && !parsePattern(String(pattern)).ok) {
      throw new Refusal(
        "FUNCTIONAL_ERROR",
        "Indicator of type stix is not correctly formatted.",
        "INCORRECT_INDICATOR_FORMAT",
      );
    }
    if (main != null && main !== "File" && !OBSERVABLE_TYPES.has(String(main))) {
      throw new Refusal("FUNCTIONAL_ERROR", `Observable type ${String(main)} is not supported.`);
    }
    for (const key of ["valid_from", "valid_until", "created", "modified"]) if (input[key] != null) time(input, key);
    if (input.valid_until != null && time(input, "valid_until") <= time(input, "valid_from")) {
      throw new Refusal("FUNCTIONAL_ERROR", "The valid until date must be greater than the valid from date");
    }
    this.#needMarkings(input);
    const references: [unknown, Map<string, unknown>][] = [
      [input.objectLabel, this.labels],
      [input.externalReferences, this.externalReferences],
    ];
    for (const [ids, known] of references) {
      for (const id of listOf(ids))
        if (!known.has(id)) throw new Refusal("MISSING_REFERENCE_ERROR", "Missing reference");
    }
  }

  #needMarkings({ objectMarking }: Input): void {
    for (const id of listOf(objectMarking)) {
      if (!this.markings.has(id)) throw new Refusal("MISSING_REFERENCE_ERROR", "Missing reference");
    }
  }

  #needIndicator(id: string): StixData {
    const data = this.indicator(id);
    if (data === undefined) throw new Refusal("FUNCTIONAL_ERROR", "Cant find element to update");
    return data;
  }
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function time(input: Input, key: string): string {
  const value = input[key];
  if (typeof value === "string" && TIME.test(value) && !Number.isNaN(Date.parse(value))) return value;
  throw new Refusal("VALIDATION_ERROR", `${key} is no time in UTC with milliseconds`);
}

function extensionOf(marks: Input) {
  return { extensions: { [OPENCTI_EXTENSION]: { extension_type: "property-extension", ...marks } } };
}

function indicatorOf(id: string, input: Input, existing: StixData | undefined): StixData {
  const before = existing === undefined ? { stix_ids: [] } : marksOf(existing);
  const stixId = input.stix_id == null || input.stix_id === id ? [] : [String(input.stix_id)];
  const main = input.x_opencti_main_observable_type ?? "Unknown";
  const marks = {
    ...before,
    id: before.id ?? randomUUID(),
    type: "Indicator",
    stix_ids: [...new Set([...listOf(before.stix_ids), ...stixId])],
    detection: input.x_opencti_detection ?? false,
    score: input.x_opencti_score ?? 50,
    main_observable_type: main === "File" ? "StixFile" : main,
    creator_ids: before.creator_ids ?? [],
  };
  const now = new Date().toISOString();
  return {
    ...existing,
    id,
    spec_version: "2.1",
    type: "indicator",
    created: String(input.created ?? now),
    modified: String(input.modified ?? now),
    revoked: input.revoked ?? false,
    confidence: input.confidence ?? 100,
    name: input.name,
    pattern: input.pattern,
    pattern_type: input.pattern_type,
    valid_from: input.valid_from ?? now,
    ...(input.valid_until == null ? {} : { valid_until: input.valid_until }),
    ...(input.description == null ? {} : { description: input.description }),
    ...(input.objectMarking == null ? {} : { object_marking_refs: input.objectMarking }),
    ...extensionOf({ ...marks, labels: input.objectLabel, external_references: input.externalReferences }),
  };
}

function sightingOf(input: Input, from: StixData, to: StixData): StixData {
  const marks = { id: randomUUID(), stix_ids: input.stix_id == null ? [] : [input.stix_id] };
  const now = new Date().toISOString();
  return {
    id: `sighting--${randomUUID()}`,
    spec_version: "2.1",
    type: "sighting",
    created: now,
    modified: now,
    first_seen: input.first_seen,
    last_seen: input.last_seen,
    count: input.attribute_count,
    confidence: input.confidence,
    ...(input.description == null ? {} : { description: input.description }),
    sighting_of_ref: from.id,
    where_sighted_refs: [to.id],
    ...extensionOf({ ...marks, negative: input.x_opencti_negative ?? false }),
  };
}

/** The same STIX id is the same sighting; another one adds to it. */
function merged(same: StixData, input: Input, first: string, last: string): StixData {
  const stixId = String(input.stix_id);
  if (isCalled(same, stixId)) return same;
  const marks = marksOf(same);
  return {
    ...same,
    first_seen: first < String(same.first_seen) ? first : same.first_seen,
    last_seen: last > String(same.last_seen) ? last : same.last_seen,
    count: Number(same.count) + Number(input.attribute_count),
    ...extensionOf({ ...marks, stix_ids: [...listOf(marks.stix_ids), stixId] }),
  };
}

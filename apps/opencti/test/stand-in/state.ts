/** What a stand-in for OpenCTI knows. GraphQL writes it, the live stream tells of it. */
import { randomUUID } from "node:crypto";

/** A user, and with it a token. */
export interface StandInUser {
  readonly id: string;
  readonly token: string;
  readonly capabilities: readonly string[];
}

/** A STIX object as OpenCTI sends it, extensions and all. */
export type StixData = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };

/** What stands in `origin` of an event. */
export interface Origin {
  readonly user_id?: string;
  readonly referer?: string;
}

/** An event of the live stream, before it gets its id. */
export interface NewEvent {
  /** The name in the frame; also the `type` in the body unless `bodyType` says otherwise. */
  readonly event: "create" | "update" | "delete" | "merge";
  readonly bodyType?: string;
  readonly data: StixData;
  readonly origin?: Origin;
  readonly context?: unknown;
  /** Default "4". */
  readonly version?: string;
}

/** One that has happened. */
export interface StoredEvent extends NewEvent {
  /** `<ms>-<n>` */
  readonly id: string;
}

/** The STIX object of an entity as it is now, and when it was last written. */
export interface Entity {
  readonly data: StixData;
  /** Milliseconds. */
  readonly updatedAt: number;
}

/** What survives when the stand-in is killed and started again with the same state file. */
interface Saved {
  readonly users: StandInUser[];
  readonly events: StoredEvent[];
  readonly indicators: [string, Entity][];
  readonly organizations: [string, StixData][];
  readonly sightings: [string, StixData][];
}

/** Keys of extensions (spec/opencti.md 1.6). */
export const OPENCTI_EXTENSION = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba";

export class OpenctiState {
  readonly users: StandInUser[] = [];
  /** The Redis stream: oldest first; `trim` cuts its beginning. */
  readonly events: StoredEvent[] = [];
  /** By standard id. */
  readonly indicators = new Map<string, Entity>();
  readonly organizations = new Map<string, StixData>();
  readonly sightings = new Map<string, StixData>();
  readonly #listeners = new Set<(event: StoredEvent) => void>();
  #lastMs = 0;
  #sequence = 0;

  /** The user of a token; undefined: OpenCTI would answer 401. */
  userOf(token: string | undefined): StandInUser | undefined {
    return this.users.find((user) => user.token === token);
  }

  addUser(token: string, capabilities: readonly string[] = ["BYPASS"]): StandInUser {
    const user = { id: randomUUID(), token, capabilities };
    this.users.push(user);
    return user;
  }

  /** Something changed: the database has it, the live stream tells it, with an id behind all others. */
  emit(event: NewEvent): StoredEvent {
    const stored = { ...event, id: this.#nextId() };
    this.#remember(stored);
    this.events.push(stored);
    for (const listener of this.#listeners) listener(stored);
    return stored;
  }

  /** @returns what ends it */
  onEvent(listener: (event: StoredEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Forgets all but the newest events, as Redis does. */
  trim(keep: number): void {
    this.events.splice(0, Math.max(0, this.events.length - keep));
  }

  toJSON(): Saved {
    return {
      users: this.users,
      events: this.events,
      indicators: [...this.indicators],
      organizations: [...this.organizations],
      sightings: [...this.sightings],
    };
  }

  /** Takes what `toJSON` gave, after a restart. */
  load(saved: Saved): void {
    this.users.push(...saved.users);
    for (const event of saved.events) this.events.push(event);
    for (const [id, entity] of saved.indicators) this.indicators.set(id, entity);
    for (const [id, data] of saved.organizations) this.organizations.set(id, data);
    for (const [id, data] of saved.sightings) this.sightings.set(id, data);
    const [ms = "0", sequence = "0"] = (this.events.at(-1)?.id ?? "0-0").split("-");
    this.#lastMs = Number(ms);
    this.#sequence = Number(sequence);
  }

  #remember({ event, data }: NewEvent): void {
    if (data.type !== "indicator") return;
    if (event === "delete") this.indicators.delete(data.id);
    else this.indicators.set(data.id, { data, updatedAt: this.#lastMs });
  }

  #nextId(): string {
    const now = Math.max(Date.now(), this.#lastMs);
    this.#sequence = now === this.#lastMs ? this.#sequence + 1 : 0;
    this.#lastMs = now;
    return `${now}-${this.#sequence}`;
  }
}

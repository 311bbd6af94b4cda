import type { DropReport } from "@threatbus/core";
import { type Indicator, type ParsedStix, parseStix, withMember } from "@threatbus/stix";
import type { Loops } from "../loops.ts";
import type { StreamEvent } from "../stream/event.ts";
import { type Decision, decide } from "./decide.ts";
import { fingerprint, type IndicatorFacts, isIndicatorId, readIndicator } from "./indicator.ts";
import { mergeSources, previousIdentity, type Superseded } from "./previous.ts";
import type { Published } from "./state-file.ts";

/** One message for the bus, and what is then to be remembered of its indicator. */
export interface Outgoing {
  readonly message: ParsedStix<Indicator>;
  readonly id: string;
  /** undefined: it is no longer on the bus. */
  readonly published: Published | undefined;
}

export interface MapperOptions {
  /** Also what is not marked for detection. */
  readonly forwardAll: boolean;
  readonly loops: Loops;
  readonly drops: Pick<DropReport, "note">;
  /** What is on the bus. */
  readonly published: (id: string) => Published | undefined;
  /** Hears of events that give no message, by reason. */
  readonly onIgnored: (reason: "not_an_indicator" | "own_change" | "nothing_new" | "not_wanted") => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** From an event of the live stream to the messages for the bus. */
export class IndicatorMapper {
  readonly #options: MapperOptions;

  constructor(options: MapperOptions) {
    this.#options = options;
  }

  /** @param republish what is replayed is wanted also where the bus has it */
  map(event: StreamEvent, republish: boolean): Outgoing[] {
    const { loops, published, onIgnored, now } = this.#options;
    const facts = readIndicator(event.data, now());
    if (facts === undefined) {
      if (event.data.type === "indicator") this.#options.drops.note("invalid_stix", 1, String(event.data.id));
      else onIgnored("not_an_indicator");
      return [];
    }
    const known = published(facts.id);
    const replayed = event.origin.referer === "init";
    if (loops.isOwnEvent(event.origin) || (replayed && known === undefined && this.#isOwnWork(facts))) {
      onIgnored("own_change");
      return [];
    }
    const wanted = this.#isWanted(facts);
    const mark = fingerprint(event.bytes, String(event.data.modified));
    // From the database an object may be written otherwise than in the event that told of it.
    const unchanged = known?.digest.equals(mark.digest) === true || (replayed && known?.modified === mark.modified);
    const { change } = event;
    const decision = decide({ change, replayed, wanted, onBus: known !== undefined, unchanged, republish });
    if (decision === "nothing") onIgnored(wanted ? "nothing_new" : "not_wanted");
    return [...this.#superseded(event), ...this.#outgoing(facts.id, event.bytes, decision)];
  }

  /** Nobody but this connector has made it. What is replayed does not say who changed it. */
  #isOwnWork({ creators }: IndicatorFacts): boolean {
    const { ownUserId } = this.#options.loops;
    return ownUserId !== undefined && creators.length > 0 && creators.every((creator) => creator === ownUserId);
  }

  #isWanted({ detection, revoked, expired }: IndicatorFacts): boolean {
    return (detection || this.#options.forwardAll) && !revoked && !expired;
  }

  /** What the event has put another indicator in the place of. */
  #superseded({ change, data, context }: StreamEvent): Outgoing[] {
    const before = change === "update" ? previousIdentity(data, context) : undefined;
    const gone: readonly Superseded[] =
      change === "merge" ? mergeSources(context) : before === undefined ? [] : [before];
    return gone
      .filter(({ id }) => isIndicatorId(id) && id !== data.id)
      .filter(({ id }) => this.#options.published(id) !== undefined)
      .flatMap((object) => this.#outgoing(object.id, Buffer.from(JSON.stringify(object)), "remove"));
  }

  #outgoing(id: string, json: Buffer, decision: Decision): Outgoing[] {
    if (decision === "nothing") return [];
    const message = parseStix(withUpdate(json, decision));
    if (!message.ok || message.value.type !== "indicator") {
      const sample = message.ok ? id : `${id} ${message.error.pointer} ${message.error.message}`;
      this.#options.drops.note("invalid_stix", 1, sample);
      return [];
    }
    const value = message.value as ParsedStix<Indicator>;
    const { modified } = value.object;
    return [{ message: value, id, published: decision === "remove" ? undefined : fingerprint(json, modified) }];
  }
}

/** A copy: the frame that the text stands in can go. */
function withUpdate(json: Buffer, decision: Exclude<Decision, "nothing">): Buffer {
  if (decision === "add") return Buffer.from(json);
  return withMember(json, "x_threatbus_update", decision === "edit" ? '"EDIT"' : '"REMOVE"');
}

import type { Logger } from "@threatbus/core";
import { type Indicator, parseStix, type Sighting } from "@threatbus/stix";
import { type OpenctiApi, OpenctiError } from "../graphql/index.ts";
import type { Loops } from "../loops.ts";
import { Account, type Need } from "./account.ts";
import { Organization } from "./organization.ts";
import type { Outcome } from "./outcome.ts";
import { References } from "./references.ts";
import { IndicatorWriter } from "./write-indicator.ts";
import { SightingWriter } from "./write-sighting.ts";

/** The settings that say how objects of the bus are written to OpenCTI. */
export interface DeliverySettings {
  readonly connector: {
    readonly entity_name: string;
    readonly entity_description: string;
    readonly confidence_level: number;
  };
  readonly outbound: {
    readonly on_remove: "revoke" | "delete" | "ignore";
    readonly create_indicators: boolean;
  };
}

export interface DeliveryParts {
  readonly api: OpenctiApi;
  readonly loops: Loops;
  readonly logger: Logger;
  readonly settings: DeliverySettings;
  readonly needs?: readonly Need[];
}

/** Writes one object of the bus to OpenCTI: for the spool, and for dead letters that are tried again. */
export class Delivery {
  readonly #account: Account;
  readonly #organization: Organization;
  readonly #indicators: IndicatorWriter;
  readonly #sightings: SightingWriter;
  readonly #loops: Loops;

  constructor({ api, loops, logger, settings, needs = [] }: DeliveryParts) {
    const { entity_name: name, entity_description: description, confidence_level } = settings.connector;
    const { on_remove: onRemove, create_indicators: createIndicators } = settings.outbound;
    this.#loops = loops;
    const account = new Account({ api, loops, logger, needs });
    const organization = new Organization(api, { name, description });
    const shared = { api, account, defaultConfidence: confidence_level };
    const indicators = new IndicatorWriter({ ...shared, references: new References(api), loops, onRemove });
    this.#account = account;
    this.#organization = organization;
    this.#indicators = indicators;
    this.#sightings = new SightingWriter({ ...shared, organization, indicators, createIndicators });
  }

  /** Finds out whether OpenCTI can be worked with, and who we are there. @throws OpenctiError; the signal's reason */
  async prepare(signal: AbortSignal): Promise<void> {
    await this.#account.check(signal);
    await this.#organization.id(signal);
  }

  /** Only who we are, which the other direction needs as well. @throws OpenctiError; the signal's reason */
  checkAccount(signal: AbortSignal): Promise<void> {
    return this.#account.check(signal);
  }

  /** @param body JSON text of a STIX object. @throws OpenctiError; the signal's reason */
  async deliver(body: Buffer, signal: AbortSignal): Promise<Outcome> {
    const parsed = parseStix(body);
    if (!parsed.ok) {
      const { pointer, message } = parsed.error;
      throw new OpenctiError("refused", "INVALID_OBJECT", `${message} at "${pointer}"`);
    }
    const { object } = parsed.value;
    try {
      return await this.#write(object, signal);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      await this.#account.check(signal);
      if (!this.#account.mayWrite) throw error;
    }
    // The user may write: since just now, or this one needs more (a deletion, an object that is not for everybody).
    // That must not hold up all the others.
    try {
      return await this.#write(object, signal);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      throw new OpenctiError("refused", error.code, `${error.message}, or access to this object`, error);
    }
  }

  async #write(object: Indicator | Sighting, signal: AbortSignal): Promise<Outcome> {
    if (object.type === "indicator") return this.#indicators.write(object, signal);
    return this.#loops.wasPublished(object.id, object.modified) ? "own" : this.#sightings.write(object, signal);
  }
}

function isForbidden(error: unknown): error is OpenctiError {
  return error instanceof OpenctiError && error.kind === "forbidden";
}

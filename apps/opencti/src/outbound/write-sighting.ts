import { type Indicator, parseStixObject, type Sighting } from "@threatbus/stix";
import { type OpenctiApi, OpenctiError } from "../graphql/index.ts";
import type { Account } from "./account.ts";
import { sightingInput } from "./mapping/sighting.ts";
import { patternsOfValue } from "./mapping/value-patterns.ts";
import type { Organization } from "./organization.ts";
import type { Outcome } from "./outcome.ts";
import type { IndicatorWriter } from "./write-indicator.ts";

export interface SightingWriterParts {
  readonly api: OpenctiApi;
  readonly account: Account;
  readonly organization: Organization;
  readonly indicators: IndicatorWriter;
  readonly defaultConfidence: number;
  /** Whether an indicator that OpenCTI does not know is made of the one that came with its sighting. */
  readonly createIndicators: boolean;
}

/** Writes sightings as relations from the indicator to our organization, one for each however often it is written. */
export class SightingWriter {
  readonly #parts: SightingWriterParts;

  constructor(parts: SightingWriterParts) {
    this.#parts = parts;
  }

  /** @throws OpenctiError, INDICATOR_UNKNOWN where OpenCTI has no such indicator; the signal's reason */
  async write(sighting: Sighting, signal: AbortSignal): Promise<Outcome> {
    if (!sighting.sighting_of_ref.startsWith("indicator--")) return this.#writeByValue(sighting, signal);
    try {
      await this.#add(sighting, sighting.sighting_of_ref, signal);
      return "written";
    } catch (error) {
      if (!(error instanceof OpenctiError) || error.kind !== "missing-reference") throw error;
      return this.#writeAnew(sighting, error, signal);
    }
  }

  /** The indicator or our organization is not there. */
  async #writeAnew(sighting: Sighting, cause: OpenctiError, signal: AbortSignal): Promise<Outcome> {
    await this.#parts.organization.refresh(signal);
    const known = await this.#parts.api.findIndicator(sighting.sighting_of_ref, signal);
    const id = known?.id ?? (await this.#makeOrFind(sighting, signal));
    if (id === undefined) {
      const what = `OpenCTI does not know ${sighting.sighting_of_ref}, and the sighting does not say what it is`;
      throw new OpenctiError("refused", "INDICATOR_UNKNOWN", what, cause);
    }
    await this.#add(sighting, id, signal);
    return "written";
  }

  /** The app that matched could not name the indicator. */
  async #writeByValue(sighting: Sighting, signal: AbortSignal): Promise<Outcome> {
    const id = await this.#makeOrFind(sighting, signal);
    if (id === undefined) return "unknown_value";
    try {
      await this.#add(sighting, id, signal);
    } catch (error) {
      if (!(error instanceof OpenctiError) || error.kind !== "missing-reference") throw error;
      await this.#parts.organization.refresh(signal);
      await this.#add(sighting, id, signal);
    }
    return "written";
  }

  async #makeOrFind(sighting: Sighting, signal: AbortSignal): Promise<string | undefined> {
    const { api, indicators, createIndicators } = this.#parts;
    const embedded = embeddedIndicator(sighting);
    if (embedded !== undefined) {
      if (createIndicators) return indicators.upsert(embedded, signal);
      return (await api.findPattern([embedded.pattern], signal))?.id;
    }
    const value = sighting.x_threatbus_indicator_value;
    const patterns = typeof value === "string" ? patternsOfValue(value) : [];
    return patterns.length === 0 ? undefined : (await api.findPattern(patterns, signal))?.id;
  }

  async #add(sighting: Sighting, indicatorId: string, signal: AbortSignal): Promise<void> {
    const { api, account, organization, defaultConfidence } = this.#parts;
    const organizationId = await organization.id(signal);
    const markings = account.markings.idsOf(sighting);
    await api.addSighting(
      sightingInput(sighting, { indicatorId, organizationId, markings, defaultConfidence }),
      signal,
    );
  }
}

/** The indicator that came with the sighting; the bus has not looked at it. */
function embeddedIndicator({ x_threatbus_indicator: value, sighting_of_ref: ref }: Sighting): Indicator | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const parsed = parseStixObject(value);
  if (!parsed.ok || parsed.value.object.type !== "indicator") return undefined;
  const { object } = parsed.value;
  // Another indicator than the one that was seen proves nothing.
  return ref.startsWith("indicator--") && object.id !== ref ? undefined : object;
}

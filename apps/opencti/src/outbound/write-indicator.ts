import { type Indicator, timestampMicros } from "@threatbus/stix";
import { type OpenctiApi, OpenctiError } from "../graphql/index.ts";
import type { Loops } from "../loops.ts";
import type { Account } from "./account.ts";
import { indicatorInput, openctiMarks } from "./mapping/indicator.ts";
import type { Outcome } from "./outcome.ts";
import type { References } from "./references.ts";

export interface IndicatorWriterParts {
  readonly api: OpenctiApi;
  readonly account: Account;
  readonly references: References;
  readonly loops: Loops;
  readonly defaultConfidence: number;
  /** What happens to an indicator that somebody removes from the bus. */
  readonly onRemove: "revoke" | "delete" | "ignore";
}

/** Writes indicators of others. What OpenCTI has published itself is not written back to it. */
export class IndicatorWriter {
  readonly #parts: IndicatorWriterParts;

  constructor(parts: IndicatorWriterParts) {
    this.#parts = parts;
  }

  /** @throws OpenctiError; the signal's reason */
  async write(indicator: Indicator, signal: AbortSignal): Promise<Outcome> {
    if (this.#parts.loops.wasPublished(indicator.id, indicator.modified)) return "own";
    if (await this.#isKnown(indicator, signal)) return "known";
    if (indicator.x_threatbus_update === "REMOVE") return this.#remove(indicator, signal);
    await this.upsert(indicator, signal);
    return "written";
  }

  /** Creates the indicator, or changes the one with the same pattern. @returns its internal id */
  async upsert(indicator: Indicator, signal: AbortSignal): Promise<string> {
    try {
      return await this.#upsert(indicator, signal);
    } catch (error) {
      if (!(error instanceof OpenctiError) || error.kind !== "missing-reference") throw error;
      // A label or reference that we remember has been deleted since.
      this.#parts.references.forget();
      return this.#upsert(indicator, signal);
    }
  }

  async #upsert(indicator: Indicator, signal: AbortSignal): Promise<string> {
    const { api, account, references, defaultConfidence } = this.#parts;
    const markings = account.markings.idsOf(indicator);
    const labels = await references.labelIds(indicator, signal);
    const externalReferences = await references.externalIds(indicator, signal);
    const surroundings = { markings, labels, externalReferences, defaultConfidence };
    return api.addIndicator(indicatorInput(indicator, surroundings), signal);
  }

  /**
   * Whether OpenCTI has this state, or a later one. Only for indicators that bear the id of an OpenCTI: it tells ours from
   * others also when nobody remembers what was published. A removal that the bus made of it (it has expired) is known, too.
   */
  async #isKnown(indicator: Indicator, signal: AbortSignal): Promise<boolean> {
    const { id } = openctiMarks(indicator);
    if (id === undefined) return false;
    const known = await this.#parts.api.findIndicator(id, signal);
    if (known === undefined || typeof known.modified !== "string") return false;
    return timestampMicros(known.modified) >= timestampMicros(indicator.modified);
  }

  async #remove(indicator: Indicator, signal: AbortSignal): Promise<Outcome> {
    const { api, onRemove } = this.#parts;
    if (onRemove === "ignore") return "ignored";
    // By id alone: what another source has published for the same value is not withdrawn with it.
    const known = await api.findIndicator(indicator.id, signal);
    if (known === undefined) return "gone";
    if (onRemove === "revoke" && known.revoked === true) return "known";
    try {
      await (onRemove === "revoke" ? api.revokeIndicator(known.id, signal) : api.deleteIndicator(known.id, signal));
    } catch (error) {
      if (!(error instanceof OpenctiError) || error.kind !== "already-deleted") throw error;
      return "gone";
    }
    return "written";
  }
}

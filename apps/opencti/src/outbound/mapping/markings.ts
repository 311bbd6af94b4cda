import { type StixObject, tlpOf } from "@threatbus/stix";
import { type Me, OpenctiError } from "../../graphql/index.ts";

/** How OpenCTI calls the levels; releases before TLP 2.0 wrote WHITE for CLEAR. */
const DEFINITIONS: Readonly<Record<string, string>> = {
  "tlp:white": "clear",
  "tlp:clear": "clear",
  "tlp:green": "green",
  "tlp:amber": "amber",
  "tlp:amber+strict": "amber+strict",
  "tlp:red": "red",
};

/** The marking definitions that the connector's user may use. */
export class Markings {
  readonly #known = new Set<string>();
  readonly #levels = new Map<string, string>();

  constructor(allowed: Me["allowed_marking"]) {
    for (const { standard_id, definition } of allowed ?? []) {
      this.#known.add(standard_id);
      const level = DEFINITIONS[definition?.toLowerCase() ?? ""];
      if (level !== undefined) this.#levels.set(level, standard_id);
    }
  }

  /**
   * Ids in OpenCTI of the markings of an object. A TLP level is found by its name as well: there are two ids for each.
   * @throws OpenctiError MARKING_UNKNOWN: written without it, the object would be shown to more people than it may be
   */
  idsOf(object: StixObject): string[] {
    const ids = (object.object_marking_refs ?? []).map((reference) => {
      const level = tlpOf({ ...object, object_marking_refs: [reference] });
      const id = this.#known.has(reference) ? reference : this.#levels.get(level ?? "");
      if (id !== undefined) return id;
      const what = `OpenCTI has no marking ${reference}, or the connector's user may not use it`;
      throw new OpenctiError("refused", "MARKING_UNKNOWN", what);
    });
    return [...new Set(ids)];
  }
}

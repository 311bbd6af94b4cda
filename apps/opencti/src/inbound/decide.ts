import type { Change } from "../stream/event.ts";

/** What happens to one indicator: `add` and `edit` put this state on the bus, `remove` takes it off. */
export type Decision = "add" | "edit" | "remove" | "nothing";

export interface DecisionFacts {
  readonly change: Change;
  /** It is not a change, but sent again from the database. */
  readonly replayed: boolean;
  /** It is marked for detection (or all are wanted), not revoked and not expired. */
  readonly wanted: boolean;
  /** An earlier state of it is on the bus. */
  readonly onBus: boolean;
  /** This very state is on the bus. */
  readonly unchanged: boolean;
  /** Somebody asked for what is replayed, whatever the bus has. */
  readonly republish: boolean;
}

/** Sensors only ever hear of the end of what they had. */
export function decide(facts: DecisionFacts): Decision {
  const { change, replayed, wanted, onBus, unchanged, republish } = facts;
  if (change === "delete" || !wanted) return onBus ? "remove" : "nothing";
  if (!onBus) return "add";
  if (unchanged) return replayed && republish ? "add" : "nothing";
  return change === "update" || replayed ? "edit" : "add";
}

import type { IndexChange, IndexedIoc } from "../iocs/ioc-index.ts";
import { SETS, type SetDefinition, serialised } from "../iocs/sets.ts";

/** A value that a dataset is to have, or not any more. */
export interface SetChange {
  readonly action: "add" | "remove";
  readonly set: SetDefinition;
  readonly value: string;
}

/** What a change of the index means for the datasets; nothing where the IoC has rules or is in a list of hashes. */
export function setChangesOf({ vanished, appeared }: IndexChange): SetChange[] {
  return [...one("remove", vanished), ...one("add", appeared)];
}

function one(action: "add" | "remove", entry: IndexedIoc | undefined): SetChange[] {
  if (entry === undefined || entry.rules.length > 0) return [];
  const set = SETS.find(({ kind, type }) => kind === entry.ioc.kind && type !== undefined);
  return set === undefined ? [] : [{ action, set, value: serialised(entry.ioc) }];
}

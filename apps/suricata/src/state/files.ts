import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeFileAtomically } from "@threatbus/connector";
import { systemCodeOf } from "@threatbus/core";
import { rulesOfSet, SETS, type SetDefinition, serialised } from "../iocs/sets.ts";
import type { Rule } from "../rules/parse.ts";
import { composeRuleFile } from "../rules/rule-file.ts";
import type { Holdings } from "./holdings.ts";

export interface FilesOptions {
  readonly rulesFile: string;
  /** Whether there are sets at all: not without point IoCs. */
  readonly sets: readonly SetDefinition[];
  readonly firstSid: number;
  /** Hears of rules that a foreign line of the file keeps out of it. */
  readonly onHeldBack: (rules: readonly Rule[]) => void;
}

/** The files that Suricata reads: the rules, and beside them one for each set. */
export class SuricataFiles {
  readonly #options: FilesOptions;

  constructor(options: FilesOptions) {
    this.#options = options;
  }

  /**
   * Writes those that are not as they should be. The sets come first: a rule whose set is missing is refused.
   * @returns whether only a reload brings it to Suricata
   * @throws the system's error
   */
  async write(holdings: Holdings): Promise<boolean> {
    const { rulesFile, sets, firstSid, onHeldBack } = this.#options;
    const values = valuesBySet(holdings);
    let reload = false;
    for (const set of sets) {
      const changed = await replace(this.pathOf(set), listOf(values.get(set)));
      reload ||= changed && set.type === undefined;
    }
    // Suricata refuses a list of hashes that is empty, but takes a dataset that is.
    const used = sets.filter((set) => set.type !== undefined || (values.get(set)?.length ?? 0) > 0);
    const rules = [
      ...used.flatMap((set) => rulesOfSet(set, firstSid)),
      ...generated(holdings),
      ...holdings.book.used(),
    ];
    const existing = await readExisting(rulesFile);
    const { content, heldBack } = composeRuleFile(existing ?? "", rules);
    if (heldBack.length > 0) onHeldBack(heldBack);
    if (content === existing) return reload;
    await writeFileAtomically(rulesFile, content);
    return true;
  }

  pathOf(set: SetDefinition): string {
    return join(dirname(this.#options.rulesFile), `${set.name}.lst`);
  }
}

function* generated({ iocs }: Holdings): Iterable<Rule> {
  for (const { rules } of iocs.entries()) yield* rules;
}

/** The values of all IoCs that are in sets, in the form of the files. */
function valuesBySet({ iocs }: Holdings): Map<SetDefinition, string[]> {
  const values = new Map<SetDefinition, string[]>(SETS.map((set) => [set, []]));
  const byKind = new Map(SETS.map((set) => [set.kind, set]));
  for (const { ioc, rules } of iocs.entries()) {
    const set = rules.length === 0 ? byKind.get(ioc.kind) : undefined;
    if (set !== undefined) values.get(set)?.push(serialised(ioc));
  }
  return values;
}

function listOf(values: readonly string[] = []): string {
  return values.map((value) => `${value}\n`).join("");
}

async function replace(path: string, content: string): Promise<boolean> {
  if ((await readExisting(path)) === content) return false;
  await writeFileAtomically(path, content);
  return true;
}

async function readExisting(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

import { isObject, memberLine, readLine } from "../event.ts";
import { canonicalAddress, type Ioc } from "../ioc.ts";
import type { LiveFinding, Reading } from "../matches.ts";
import type { Engine, Invocation, LiveFindings, MatcherEntry, RunOnce } from "./engine.ts";
import {
  createTable,
  eraseFromTable,
  type Fields,
  HEARTBEAT,
  keyKind,
  LANGUAGE_PROBE,
  livePipeline,
  NODE_PROBE,
  retroPipeline,
  updateTable,
} from "./tql.ts";

export interface TenzirOptions {
  /** `host:port` */
  readonly endpoint: string;
  /** Name of the lookup table. */
  readonly matcherName: string;
  readonly fields: Fields;
}

/** Tenzir 6.20: searches are pipelines, and a lookup table in the node holds the values for live matches. */
export class Tenzir implements Engine {
  readonly name = "tenzir";
  readonly batchSize = 1_000;
  readonly maxCalls = 1;
  readonly #options: TenzirOptions;

  constructor(options: TenzirOptions) {
    this.#options = options;
  }

  async probe(run: RunOnce): Promise<void> {
    const language = await run(this.#pipeline(LANGUAGE_PROBE));
    if (!language.ok) throw new Error(`the program is not Tenzir 6.20 or later: ${language.output}`);
    const contexts = await run(this.#pipeline(NODE_PROBE));
    if (!contexts.ok) throw new Error(`no Tenzir node answers at ${this.#options.endpoint}: ${contexts.output}`);
  }

  retroQuery(ioc: Ioc, maxEvents: number): Invocation {
    return this.#pipeline(retroPipeline(ioc, maxEvents, this.#options.fields));
  }

  /** A table compares addresses by value; text it compares byte by byte, and domain names are looked up in lower case. */
  matcherValue({ value, type }: Ioc): string {
    if (type === "domain") return value.toLowerCase();
    return type === "url" ? value : canonicalAddress(value);
  }

  prepareMatcher(): Invocation {
    return this.#pipeline(createTable(this.#options.matcherName));
  }

  add(entries: readonly MatcherEntry[]): Invocation[] {
    return this.#byKind(entries, updateTable, ({ value, reference }) => ({ key: value, value: { value, reference } }));
  }

  remove(values: readonly string[]): Invocation[] {
    const entries = values.map((value) => ({ value }));
    return this.#byKind(entries, eraseFromTable, ({ value }) => ({ key: value }));
  }

  attach(): Invocation {
    return this.#pipeline(livePipeline(this.#options.matcherName, this.#options.fields));
  }

  /** A live export of Tenzir 6.20 does not end when its node is killed. */
  heartbeat(): Invocation {
    return this.#pipeline(HEARTBEAT);
  }

  readFinding(line: string): Reading<LiveFindings> {
    const whole = readLine(line);
    if (whole === undefined) return { ok: false, reason: "match_not_json" };
    const event = memberLine(whole, "event");
    const { matches } = whole.object;
    const findings = Array.isArray(matches) ? matches.map(findingOf).filter((found) => found !== undefined) : [];
    if (event === undefined || findings.length === 0) return { ok: false, reason: "match_incomplete" };
    return { ok: true, value: { findings, event } };
  }

  /** One call for each kind of key. */
  #byKind<Entry extends { readonly value: string }>(
    entries: readonly Entry[],
    pipeline: typeof updateTable,
    row: (entry: Entry) => object,
  ): Invocation[] {
    return (["ip", "subnet", "text"] as const).flatMap((kind) => {
      const own = entries.filter(({ value }) => keyKind(value) === kind);
      if (own.length === 0) return [];
      const input = own.map((entry) => `${JSON.stringify(row(entry))}\n`).join("");
      return [{ ...this.#pipeline(pipeline(this.#options.matcherName, kind)), input }];
    });
  }

  #pipeline(text: string): Invocation {
    const options = [`--endpoint=${this.#options.endpoint}`, "--connection-timeout=10s", "--console-verbosity=warning"];
    return { args: [...options, text] };
  }
}

function findingOf(match: unknown): LiveFinding | undefined {
  if (!isObject(match) || typeof match.reference !== "string") return undefined;
  return { value: match.value, reference: match.reference };
}

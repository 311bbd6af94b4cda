import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { makeSighting, writeFileAtomically } from "@threatbus/connector";
import { systemCodeOf } from "@threatbus/core";
import { type ParsedStix, parseStixObject } from "@threatbus/stix";
import { z } from "zod";
import { Aggregator, type Report, windowsSchema } from "./aggregator.ts";
import type { Matcher } from "./match.ts";
import { Tail, type TailOptions, tailPositionSchema } from "./tail.ts";

export interface ReporterParts {
  readonly tail: TailOptions;
  /** Where it is remembered how far the log was read. */
  readonly stateFile: string;
  readonly matcher: Matcher;
  /** Milliseconds, see `Aggregator`. */
  readonly interval: number;
  /** Resolves when the bus has the sightings. */
  readonly publish: (sightings: readonly ParsedStix[], signal: AbortSignal) => Promise<void>;
  readonly note: (reason: string, count: number, sample: string) => void;
  readonly health: { set(part: string, ok: boolean, detail?: string): void };
}

/** Milliseconds between two looks at a log that has nothing new. */
const POLL = 250;
/** Milliseconds between two times of saving while nothing is reported. */
const SAVE_PAUSE = 5_000;

const stateSchema = z.object({
  type: z.literal("threatbus-eve-position"),
  position: tailPositionSchema,
  windows: windowsSchema,
});

/**
 * Tells the bus what Suricata's eve.json says of its indicators. How far the log was read is saved when the bus has
 * everything before it; what is read again after a crash gives the same sightings with the same ids.
 */
export class Reporter {
  readonly #parts: ReporterParts;
  #saved = "";
  #savedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
  }

  /** Until the signal aborts. @throws the system's error where the log or the state cannot be read */
  async run(signal: AbortSignal): Promise<void> {
    const state = await this.#load();
    const aggregator = new Aggregator(this.#parts.interval);
    aggregator.restore(state?.windows ?? []);
    const tail = new Tail(this.#parts.tail, state?.position);
    try {
      while (!signal.aborted) {
        const lines = await tail.read();
        const reports = lines.flatMap((line) => this.#parts.matcher.matches(line).flatMap((m) => aggregator.see(m)));
        reports.push(...aggregator.due());
        const { position } = tail;
        this.#parts.health.set("eve", position !== undefined, position ? undefined : "there is no log file yet");
        if (reports.length > 0) await this.#parts.publish(this.#sightings(reports), signal);
        await this.#save(tail, aggregator, reports.length > 0);
        if (lines.length === 0) await sleep(POLL, undefined, { signal });
      }
    } catch (error) {
      // What was not published is read again.
      if (!signal.aborted) throw error;
    } finally {
      await tail.close();
    }
  }

  #sightings(reports: readonly Report[]): ParsedStix[] {
    return reports.flatMap((report) => {
      const parsed = parseStixObject(sightingOf(report));
      if (parsed.ok) return [parsed.value];
      this.#parts.note("invalid_sighting", 1, `${parsed.error.pointer} ${parsed.error.message}`);
      return [];
    });
  }

  async #load(): Promise<z.output<typeof stateSchema> | undefined> {
    try {
      const text = await readFile(this.#parts.stateFile, "utf8");
      this.#saved = text;
      return stateSchema.parse(JSON.parse(text));
    } catch (error) {
      if (systemCodeOf(error) === "ENOENT") return undefined;
      throw new Error(`${this.#parts.stateFile} is no state of the log: remove it to begin anew`, { cause: error });
    }
  }

  async #save(tail: Tail, aggregator: Aggregator, now: boolean): Promise<void> {
    const { position } = tail;
    if (position === undefined) return;
    if (!now && performance.now() - this.#savedAt < SAVE_PAUSE) return;
    const text = JSON.stringify({ type: "threatbus-eve-position", position, windows: aggregator.windows });
    if (text === this.#saved) return;
    await writeFileAtomically(this.#parts.stateFile, text);
    this.#saved = text;
    this.#savedAt = performance.now();
  }
}

/** All of it follows from the event, so that telling it again changes nothing. */
export function sightingOf({ indicator, firstSeen, lastSeen, count, key, context, value }: Report): object {
  return makeSighting({
    ref: indicator,
    firstSeen,
    lastSeen,
    count,
    key: ["suricata", indicator, key],
    custom: {
      created: lastSeen,
      modified: lastSeen,
      x_threatbus_sighting_context: context,
      ...(value === undefined ? {} : { x_threatbus_indicator_value: value }),
    },
  });
}

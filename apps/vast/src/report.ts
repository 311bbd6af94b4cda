import type { Publishable } from "@threatbus/client";
import type { DropReport } from "@threatbus/core";
import { foundValue, type Match, sightingOf } from "./matches.ts";
import type { Tool } from "./tool.ts";

/** Where matches go. */
export interface ReporterParts {
  /** Resolves when the bus has accepted them. */
  readonly publish: (objects: readonly Publishable[]) => Promise<void>;
  readonly drops: Pick<DropReport, "note">;
  /** Rewrites contexts. */
  readonly transform: Tool | undefined;
  readonly onTransformFailure: "drop" | "untransformed";
  /** undefined: the bus. */
  readonly sink: Tool | "STDOUT" | undefined;
  /** For the sink `STDOUT`; resolves when the line is written. */
  readonly writeLine: (line: string) => Promise<void>;
}

/** Sightings that are published together, at most. */
const MAX_BATCH = 200;

/** Matches on their way out: transformed, then to the sink or as sightings to the bus. */
export class Reporter {
  readonly #parts: ReporterParts;
  /** The commands work on one match at a time, in order. */
  #commands: Promise<void> = Promise.resolve();
  #batch: Publishable[] = [];
  #publishing: Promise<void> | undefined;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
  }

  /** Resolves when it is reported, or dropped and counted. @throws what `publish` and `writeLine` throw */
  async report(match: Match): Promise<void> {
    const context = await this.#context(match);
    if (context === undefined) return;
    const { sink, writeLine } = this.#parts;
    if (sink === undefined) await this.#publish(match, context);
    else if (sink === "STDOUT") await writeLine(context);
    else await this.#inTurn(() => this.#feed(sink, match, context));
  }

  /** undefined: the match is dropped. */
  async #context(match: Match): Promise<string | undefined> {
    const { transform, onTransformFailure, drops } = this.#parts;
    const original = match.event.text;
    if (transform === undefined) return original;
    const result = await this.#inTurn(() => transformed(transform, match, original));
    if (result.ok) return result.text;
    drops.note(result.reason, 1, result.sample);
    return onTransformFailure === "untransformed" ? original : undefined;
  }

  async #feed(sink: Tool, match: Match, context: string): Promise<void> {
    const value = foundValue(match) ?? "";
    const { problem } = await sink.run({ ioc: value, matchType: match.kind }, context);
    if (problem !== undefined) this.#parts.drops.note("sink_failed", 1, problem);
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#commands.then(task);
    this.#commands = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  async #publish(match: Match, context: string): Promise<void> {
    const sighting = sightingOf(match, context);
    if (!sighting.ok) {
      this.#parts.drops.note(sighting.reason, 1, context);
      return;
    }
    while (this.#batch.length >= MAX_BATCH) await this.#flushed();
    this.#batch.push(sighting.value);
    await this.#flushed();
  }

  /** One batch is on its way at a time; what comes in meanwhile is the next. */
  async #flushed(): Promise<void> {
    const before = this.#publishing;
    if (before !== undefined) await before.catch(() => undefined);
    this.#publishing ??= this.#flush();
    await this.#publishing;
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    try {
      if (batch.length > 0) await this.#parts.publish(batch);
    } finally {
      this.#publishing = undefined;
    }
  }
}

type Transformed = { readonly ok: true; readonly text: string } | Failure;

interface Failure {
  readonly ok: false;
  readonly reason: string;
  readonly sample: string;
}

/** A command that fails and prints JSON all the same has done its work, as vast-threatbus sees it. */
async function transformed(tool: Tool, match: Match, context: string): Promise<Transformed> {
  const ioc = foundValue(match);
  if (ioc === undefined) return { ok: false, reason: "transform_without_value", sample: context };
  const { output, problem } = await tool.run({ ioc, matchType: match.kind }, context);
  if (isJson(output)) return { ok: true, text: output.trim() };
  return { ok: false, reason: "transform_failed", sample: problem ?? output };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

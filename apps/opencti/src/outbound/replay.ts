import { access, rename, rm } from "node:fs/promises";
import { findMember, parseStix } from "@threatbus/stix";
import { OpenctiError } from "../graphql/index.ts";
import { deadLetterLine, deadLetterSchema } from "./dead-letters.ts";
import type { Deliverer } from "./drain.ts";
import { laneOf } from "./incoming.ts";
import { type Step, workInLanes } from "./lanes.ts";
import { readLines } from "./lines.ts";
import { Remainder } from "./remainder.ts";

/** One line of a file of dead letters; without an object it cannot be read. */
interface Letter {
  readonly line: string;
  readonly lane: string;
  readonly reason: string;
  readonly body: Buffer | undefined;
}

/** What is in a file of dead letters. */
export interface Survey {
  readonly total: number;
  /** Lines that are no dead letters, or whose object is no valid STIX. */
  readonly unreadable: number;
  readonly byReason: ReadonlyMap<string, number>;
}

export interface ReplayOptions {
  readonly delivery: Deliverer;
  /** Hears of each batch. */
  readonly onProgress: (done: number) => void;
}

export interface ReplayResult {
  readonly written: number;
  /** Nothing had to be done. */
  readonly unchanged: number;
  /** Refused again, unreadable, or not tried because OpenCTI failed. */
  readonly remaining: number;
  /** The file of what remains; undefined: nothing does. */
  readonly file: string | undefined;
  /** Why the replay ended before its end. */
  readonly stopped: string | undefined;
}

const BATCH = 100;
const CONCURRENCY = 4;
const WORKING = ".replaying";

/** Reads the whole file without sending anything. @throws Error where it cannot be read, or has lines that are no letters */
export async function survey(path: string): Promise<Survey> {
  const byReason = new Map<string, number>();
  let total = 0;
  let unreadable = 0;
  for await (const line of readLines(path)) {
    const { body, reason } = readLetter(line);
    total += 1;
    if (body === undefined) unreadable += 1;
    else byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
  }
  return { total, unreadable, byReason };
}

/**
 * Sends all letters of a file again. The file is taken away first (`<path>.replaying`), so that new letters go to a new one,
 * and is removed when each of its lines is either done or in the file of what remains (`<path>.remaining`).
 * @throws OpenctiError where OpenCTI cannot be worked with at all (the file is then untouched); the system's error
 */
export async function replay(path: string, options: ReplayOptions, signal: AbortSignal): Promise<ReplayResult> {
  await options.delivery.prepare(signal);
  const base = path.endsWith(WORKING) ? path.slice(0, -WORKING.length) : path;
  const working = base + WORKING;
  if (path !== working) await takeAway(path, working);
  const rest = new Remainder(base);
  const run = new Run(options, rest, signal);
  try {
    const batch: Letter[] = [];
    for await (const line of readLines(working)) {
      batch.push(readLetter(line));
      if (batch.length === BATCH) await run.send(batch.splice(0));
    }
    await run.send(batch);
  } finally {
    await rest.close();
  }
  await rm(working);
  const { written, unchanged, stopped } = run;
  return { written, unchanged, stopped, remaining: rest.count, file: rest.path };
}

/** An unfinished replay keeps its file: two of them would become one. */
async function takeAway(path: string, working: string): Promise<void> {
  const exists = await access(working).then(
    () => true,
    () => false,
  );
  if (exists) throw new Error(`an earlier replay did not come to its end: replay ${working} first`);
  await rename(path, working);
}

class Run {
  written = 0;
  unchanged = 0;
  stopped: string | undefined;
  readonly #options: ReplayOptions;
  readonly #rest: Remainder;
  readonly #signal: AbortSignal;
  #done = 0;

  constructor(options: ReplayOptions, rest: Remainder, signal: AbortSignal) {
    this.#options = options;
    this.#rest = rest;
    this.#signal = signal;
  }

  async send(batch: Letter[]): Promise<void> {
    const open = new Set(batch);
    if (this.stopped === undefined) {
      await workInLanes(batch, CONCURRENCY, async (letter) => {
        const step = await this.#send(letter);
        if (step === "next") open.delete(letter);
        return step;
      });
    }
    // What was not tried stays as it was.
    for (const { line } of open) await this.#rest.add(`${line}\n`);
    this.#done += batch.length;
    this.#options.onProgress(this.#done);
  }

  async #send({ line, body }: Letter): Promise<Step> {
    if (body === undefined) {
      await this.#rest.add(`${line}\n`);
      return "next";
    }
    try {
      this.#signal.throwIfAborted();
      const outcome = await this.#options.delivery.deliver(body, this.#signal);
      if (outcome === "written") this.written += 1;
      else this.unchanged += 1;
      return "next";
    } catch (error) {
      if (this.#signal.aborted) return this.#stop("it was interrupted");
      if (!(error instanceof OpenctiError)) throw error;
      if (isPassing(error)) return this.#stop(error.message);
      await this.#rest.add(deadLetterLine(body, error));
      return "next";
    }
  }

  #stop(why: string): Step {
    this.stopped ??= why;
    return "stop";
  }
}

function isPassing({ kind }: OpenctiError): boolean {
  return kind === "unreachable" || kind === "busy" || kind === "credentials" || kind === "forbidden";
}

function readLetter(line: string): Letter {
  const unreadable = { line, lane: "", reason: "unreadable", body: undefined };
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return unreadable;
  }
  const letter = deadLetterSchema.safeParse(json);
  if (!letter.success) return unreadable;
  // Its own text: numbers that JavaScript cannot hold stay what they are.
  const body = findMember(Buffer.from(line), "object");
  const parsed = body === undefined ? undefined : parseStix(body);
  if (parsed?.ok !== true) return unreadable;
  return { line, lane: laneOf(parsed.value.object), reason: letter.data.reason, body: parsed.value.bytes };
}

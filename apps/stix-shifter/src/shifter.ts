import { CommandFailed, startCommand } from "@threatbus/connector";
import { messageOf } from "@threatbus/core";
import type { z } from "zod";
import type { Launcher } from "./launcher.ts";
import type { ModuleSettings } from "./options.ts";
import type { Redact } from "./redact.ts";
import {
  bundleSchema,
  failureSchema,
  isAsyncSchema,
  queriesSchema,
  resultsSchema,
  searchSchema,
  statusSchema,
} from "./replies.ts";
import { ShifterError } from "./shifter-error.ts";

/** Bounds on one run of STIX-Shifter. */
export interface RunLimits {
  /** Milliseconds. */
  readonly timeout: number;
  /** Bytes of output. */
  readonly maxOutput: number;
}

/** How STIX-Shifter is run. */
export interface RunParts {
  readonly launcher: Launcher;
  readonly limits: RunLimits;
  readonly redact: Redact;
  /** Hears what it says beside its answer (standard error), such as warnings about certificates, unredacted. */
  readonly onAside: (text: string) => void;
}

export interface ShifterParts extends RunParts {
  /** Name of the module, with its dialects if any. */
  readonly module: string;
  readonly settings: ModuleSettings;
}

/** How far a query has come. */
export type QueryState = "running" | "done" | "failed";

/** One module of STIX-Shifter, with one data source behind it. All throw ShifterError, or the reason of the signal. */
export class Shifter {
  readonly #parts: ShifterParts;
  readonly #connection: readonly [connection: string, credentials: string];
  #isAsync: boolean | undefined;

  constructor(parts: ShifterParts) {
    this.#parts = parts;
    const { connection, transmission } = parts.settings;
    this.#connection = [JSON.stringify(withOptions(connection)), JSON.stringify(transmission)];
  }

  /** The queries in the language of the data source that look for a STIX pattern. */
  async translateQuery(pattern: string, signal: AbortSignal): Promise<readonly string[]> {
    const options = JSON.stringify(this.#parts.settings.translation);
    // The translator of queries has no use for the data source.
    const args = ["translate", this.#parts.module, "query", "{}", pattern, options];
    return (await this.#run(args, queriesSchema, signal)).queries;
  }

  /** Whether queries take their time, so that their status is asked for. */
  async isAsync(signal: AbortSignal): Promise<boolean> {
    this.#isAsync ??= await this.#transmit(["is_async"], isAsyncSchema, signal);
    return this.#isAsync;
  }

  /** Starts a query. @returns the id by which its status and results are asked for */
  async query(query: string, signal: AbortSignal): Promise<string> {
    return (await this.#transmit(["query", "--", query], searchSchema, signal)).search_id;
  }

  async status(searchId: string, signal: AbortSignal): Promise<QueryState> {
    const { progress, status } = await this.#transmit(["status", "--", searchId], statusSchema, signal);
    if (status === "ERROR" || status === "CANCELED") return "failed";
    return progress >= 100 || status !== "RUNNING" ? "done" : "running";
  }

  /** At most so many rows as the module is allowed, in the form of the data source. */
  async results(searchId: string, signal: AbortSignal): Promise<readonly unknown[]> {
    const args = ["results", "--", searchId, "0", String(this.#parts.settings.max_results)];
    return (await this.#transmit(args, resultsSchema, signal)).data;
  }

  /** Tells the data source that nobody waits for a query any more. */
  async forget(searchId: string, signal: AbortSignal): Promise<void> {
    await this.#transmit(["delete", "--", searchId], statusSchema, signal);
  }

  /** Rows of the data source as STIX objects, which may be invalid. */
  async translateResults(rows: string, signal: AbortSignal): Promise<readonly unknown[]> {
    const { module, settings } = this.#parts;
    const { data_source: source, translation } = settings;
    const texts = [JSON.stringify(source), rows, JSON.stringify(translation)];
    return (await this.#run(["translate", module, "results", ...texts], bundleSchema, signal)).objects;
  }

  #transmit<T>(operation: readonly string[], schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    return this.#run(["transmit", this.#parts.module, ...this.#connection, ...operation], schema, signal);
  }

  async #run<T>(args: readonly string[], schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    return reply(await runShifter(this.#parts, args, signal), schema, this.#parts.redact);
  }
}

/** Modules read their options without looking whether there are any. */
function withOptions(connection: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { options: {}, ...connection };
}

/** What STIX-Shifter prints for these arguments. @throws ShifterError; the reason of the signal */
export async function runShifter(parts: RunParts, args: readonly string[], signal: AbortSignal): Promise<unknown> {
  const { launcher, redact, onAside } = parts;
  const { timeout, maxOutput } = parts.limits;
  try {
    const lines: string[] = [];
    let size = 0;
    const bounds = { maxLineBytes: maxOutput, onLongLine: () => (size = Number.POSITIVE_INFINITY) };
    const command = await startCommand({ ...launcher.command(args), ...bounds, timeout, signal });
    for await (const line of command.lines) {
      size += Buffer.byteLength(line) + 1;
      if (size > maxOutput) break;
      lines.push(line);
    }
    if (size > maxOutput) throw new ShifterError("too_large", `its output is longer than ${maxOutput} bytes`);
    const { timedOut, code, killedBy, errorText } = await command.ended;
    signal.throwIfAborted();
    if (timedOut) throw new ShifterError("timeout", `stix-shifter took longer than ${timeout} ms`);
    if (errorText !== "") onAside(errorText);
    if (code === 0) return JSON.parse(lines.join("\n")) as unknown;
    const why = redact(errorText, "last");
    throw new ShifterError("ended", `stix-shifter ended with ${killedBy ?? `code ${code}`}: ${why}`);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ShifterError) throw error;
    if (error instanceof CommandFailed) throw new ShifterError("not_started", redact(error.message), error);
    throw new ShifterError("bad_output", `stix-shifter printed no JSON: ${redact(messageOf(error))}`);
  }
}

/** @throws ShifterError where it says that it failed, or answers in another form */
function reply<T>(printed: unknown, schema: z.ZodType<T>, redact: Redact): T {
  const parsed = schema.safeParse(printed);
  if (parsed.success) return parsed.data;
  const failure = failureSchema.safeParse(printed);
  if (failure.success) {
    const { code, error = "no reason given" } = failure.data;
    throw new ShifterError(code, redact(typeof error === "string" ? error : JSON.stringify(error)));
  }
  const [issue] = parsed.error.issues;
  throw new ShifterError("bad_output", `unexpected answer at ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`);
}

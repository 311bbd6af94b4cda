import { EXIT } from "@threatbus/core/process";
import type { LogRecord, Store } from "@threatbus/store";
import { interruption } from "../../connection.ts";
import { complain, print, safe } from "../../terminal.ts";
import { MOST_RECORDS, mayBeCut } from "./answers.ts";
import { type Finding, findingJson, findingLines, findingOf } from "./finding.ts";
import { counted } from "./format.ts";
import { type LogOptions, readLog } from "./open.ts";
import { scanFor } from "./scan.ts";

export interface FindOptions extends LogOptions {
  readonly scan?: boolean;
  /** Indicators that are shown. */
  readonly limit: number;
  readonly json?: boolean;
}

/** The indicators that have, or once had, the value. */
interface Search {
  /** The one received last first. */
  readonly ids: readonly string[];
  /** There may be more than those. */
  readonly isPart: boolean;
}

interface Found extends Search {
  /** Path of the log. */
  readonly path: string;
  /** Of the first ids, as many as are to be shown. */
  readonly findings: readonly Finding[];
}

const INDICATOR_ID = /^indicator--[0-9a-f-]{36}$/i;

/**
 * `threatbus log find`: has this value ever been distributed? Exit code 1 when it has not, 130 when interrupted.
 * @throws StoreError when the log cannot be read
 */
export async function find(value: string, options: FindOptions): Promise<void> {
  const signal = interruption();
  const found = await readLog(options, (store) => search(store, value, options, signal));
  if (signal.aborted) {
    complain("interrupted: there may be more");
    process.exitCode = EXIT.interrupted;
  } else if (found.findings.length === 0) process.exitCode = EXIT.failure;
  if (options.json) await print(asJson(value, options, found));
  else await show(value, options, found, signal);
}

async function search(store: Store, value: string, options: FindOptions, signal: AbortSignal): Promise<Found> {
  const { ids, isPart } = await lookUp(store, value, options.scan === true, signal);
  const findings: Finding[] = [];
  for (const id of ids.slice(0, options.limit)) {
    const finding = signal.aborted ? undefined : await findingOf(store, id);
    if (finding !== undefined) findings.push(finding);
  }
  return { path: store.path, ids, isPart, findings };
}

async function lookUp(store: Store, value: string, scan: boolean, signal: AbortSignal): Promise<Search> {
  if (INDICATOR_ID.test(value)) return { ids: [...new Set([value, value.toLowerCase()])], isPart: false };
  const found: LogRecord[] = [];
  const forms = formsOf(value);
  let isPart = false;
  for (const form of forms) {
    const records = await store.byValue(form, { limit: MOST_RECORDS });
    isPart ||= mayBeCut(records);
    found.push(...records.filter(({ type }) => type === "indicator"));
  }
  found.sort((a, b) => b.position - a.position);
  const scanned = scan ? await scanFor(store, forms, signal) : [];
  const ids = [...new Set([...found.map(({ stixId }) => stixId), ...scanned.reverse()])];
  return { ids, isPart: isPart && !scan };
}

/** The value as it is given and as feeds may write it: other case, and without the marks that make it harmless. */
function formsOf(value: string): readonly string[] {
  const plain = value.trim();
  const armed = plain.replace(/\[\.\]|\(\.\)|\[dot\]/gi, ".").replace(/^hxxp/i, "http");
  const forms = [value, plain, armed].flatMap((each) => [each, each.toLowerCase(), each.toUpperCase()]);
  return [...new Set(forms)].filter((each) => each !== "");
}

function asJson(value: string, { scan = false, limit }: FindOptions, { ids, isPart, findings }: Found): string {
  const more = Math.max(0, ids.length - limit);
  return JSON.stringify({ value, scanned: scan, complete: !isPart, more, indicators: findings.map(findingJson) });
}

async function show(value: string, options: FindOptions, found: Found, signal: AbortSignal): Promise<void> {
  const isId = INDICATOR_ID.test(value);
  const { path, ids, isPart, findings } = found;
  if (findings.length === 0 && !signal.aborted) {
    complain(safe(`${value} is ${isId ? "not in the log" : "in no indicator of the log"} ${path}`));
  }
  for (const finding of findings) for (const line of findingLines(finding)) await print(line);
  const more = ids.length - options.limit;
  if (more > 0) await print(`${counted(more, "more indicator")}: show them with --limit`);
  if (isPart) await print("There may be older indicators with this value: --scan finds all.");
  if (!options.scan && !isId) await print(NOT_SCANNED);
}

const NOT_SCANNED = "Values inside compound patterns are only found with --scan, which reads the whole log.";

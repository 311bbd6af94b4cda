import type { LogRecord, Store } from "@threatbus/store";
import { interruption } from "../../connection.ts";
import { EXIT } from "../../exit.ts";
import { table } from "../../table.ts";
import { complain, print, safe, styled } from "../../terminal.ts";
import { counted, objectOf, type StateName, stateName, stateText, timeText } from "./format.ts";
import { type LogOptions, readLog } from "./open.ts";
import { type Receipt, receiptJson, receiptLines, receiptsOf } from "./receipts.ts";
import { scanFor } from "./scan.ts";
import { type Sightings, sightingsOf } from "./sightings.ts";

export interface FindOptions extends LogOptions {
  readonly scan?: boolean;
  /** Indicators that are shown. */
  readonly limit: number;
  readonly json?: boolean;
}

/** One indicator that has, or once had, the value. Times in milliseconds since the epoch. */
interface Finding {
  readonly newest: LogRecord;
  readonly pattern: string | undefined;
  readonly states: number;
  readonly firstReceived: LogRecord;
  readonly lastReceived: LogRecord;
  readonly sources: readonly string[];
  readonly state: StateName;
  readonly receipts: readonly Receipt[];
  readonly sightings: Sightings;
}

const MOST_STATES = 10_000;
const INDICATOR_ID = /^indicator--[0-9a-f-]{36}$/i;

/**
 * `threatbus log find`: has this value ever been distributed? Exit code 1 when it has not, 130 when interrupted.
 * @throws StoreError when the log cannot be read
 */
export async function find(value: string, options: FindOptions): Promise<void> {
  const signal = interruption();
  const { path, ids, findings } = await readLog(options, async (store) => {
    const ids = await idsOf(store, value, options.scan === true, signal);
    const findings: Finding[] = [];
    for (const id of ids.slice(0, options.limit)) {
      const finding = signal.aborted ? undefined : await findingOf(store, id);
      if (finding !== undefined) findings.push(finding);
    }
    return { path: store.path, ids, findings };
  });
  if (signal.aborted) {
    complain("interrupted: there may be more");
    process.exitCode = EXIT.interrupted;
  } else if (findings.length === 0) process.exitCode = EXIT.failure;
  if (options.json) return await print(asJson(value, options, ids.length, findings));
  if (findings.length === 0 && !signal.aborted) complain(safe(`${value} is ${place(value)} ${path}`));
  for (const finding of findings) for (const line of describe(finding)) await print(line);
  const more = ids.length - options.limit;
  if (more > 0) await print(`${counted(more, "more indicator")}: show them with --limit`);
  if (!options.scan && !INDICATOR_ID.test(value)) await print(NOT_SCANNED);
}

const place = (value: string) => (INDICATOR_ID.test(value) ? "not in the log" : "in no indicator of the log");

const NOT_SCANNED = "Values inside compound patterns are only found with --scan, which reads the whole log.";

/** Ids of the indicators to look at, the one received last first. */
async function idsOf(store: Store, value: string, scan: boolean, signal: AbortSignal): Promise<readonly string[]> {
  if (INDICATOR_ID.test(value)) return [...new Set([value, value.toLowerCase()])];
  const found: LogRecord[] = [];
  const forms = formsOf(value);
  for (const form of forms) {
    const records = await store.byValue(form, { limit: MOST_STATES });
    found.push(...records.filter(({ type }) => type === "indicator"));
  }
  found.sort((a, b) => b.position - a.position);
  const scanned = scan ? await scanFor(store, forms, signal) : [];
  return [...new Set([...found.map(({ stixId }) => stixId), ...scanned.reverse()])];
}

/** The value as it is given and as feeds may write it: other case, and without the marks that make it harmless. */
function formsOf(value: string): readonly string[] {
  const plain = value.trim();
  const armed = plain.replace(/\[\.\]|\(\.\)|\[dot\]/gi, ".").replace(/^hxxp/i, "http");
  const forms = [value, plain, armed].flatMap((each) => [each, each.toLowerCase(), each.toUpperCase()]);
  return [...new Set(forms)].filter((each) => each !== "");
}

async function findingOf(store: Store, id: string): Promise<Finding | undefined> {
  const states = await store.byId(id, MOST_STATES);
  const [newest] = states;
  if (newest === undefined) return undefined;
  const byTime = states.toSorted((a, b) => a.position - b.position);
  const object = objectOf(newest);
  return {
    newest,
    pattern: object?.type === "indicator" ? object.pattern : undefined,
    states: states.length,
    firstReceived: byTime[0] ?? newest,
    lastReceived: byTime.at(-1) ?? newest,
    sources: [...new Set(byTime.map(({ source }) => source))],
    state: stateName(newest, Date.now()),
    receipts: await receiptsOf(store, newest),
    sightings: await sightingsOf(store, id),
  };
}

function asJson(
  value: string,
  { scan = false, limit }: FindOptions,
  found: number,
  findings: readonly Finding[],
): string {
  const indicators = findings.map((each) => ({
    id: each.newest.stixId,
    pattern: each.pattern ?? null,
    state: each.state,
    validUntil: each.newest.validUntil === undefined ? null : timeText(each.newest.validUntil),
    states: each.states,
    firstReceivedAt: timeText(each.firstReceived.receivedAt),
    lastReceivedAt: timeText(each.lastReceived.receivedAt),
    sources: each.sources,
    receipts: each.receipts.map(receiptJson),
    sightings: sightingsJson(each.sightings),
  }));
  return JSON.stringify({ value, scanned: scan, more: Math.max(0, found - limit), indicators });
}

function sightingsJson({ count, seen, isPart, sources, newest }: Sightings): object {
  return { count, seen, complete: !isPart, sources, lastReceivedAt: newest === undefined ? null : timeText(newest) };
}

function describe(finding: Finding): string[] {
  const { newest, pattern, states, firstReceived, lastReceived, receipts } = finding;
  const from = (record: LogRecord) => `${timeText(record.receivedAt)} from ${safe(record.source)}`;
  const last = states === 1 ? [] : [["last", `${from(lastReceived)}, ${counted(states, "state")} in all`]];
  const delivery = receiptLines(receipts);
  return [
    `${styled("bold", safe(newest.stixId))}  ${safe(pattern ?? "")}`,
    ...table([
      ["  received", from(firstReceived)],
      ...last.map(([name = "", text = ""]) => [`  ${name}`, text]),
      ["  now", stateText(newest, Date.now())],
      ["  delivered", delivery.summary],
      ...delivery.rows.map((row) => ["", row.join("  ")]),
      ["  sighted", sightedText(finding.sightings)],
    ]),
  ];
}

function sightedText({ count, seen, isPart, sources, newest }: Sightings): string {
  if (newest === undefined) return "never";
  const times = `${isPart ? "at least " : ""}${counted(seen, "time")}`;
  const messages = seen === count ? "" : ` (${counted(count, "sighting")})`;
  return `${times}${messages} by ${sources.map(safe).join(", ")}, last received ${timeText(newest)}`;
}

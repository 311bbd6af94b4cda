/**
 * Stands in for the command line of VAST 2022. It knows the calls that vast-threatbus made and no others: anything else
 * ends it with exit code 64. VAST_STUB is a folder with
 *   script.json   what to do (see Script)
 *   calls.jsonl   every call, as a list of arguments; refused ones begin with "REFUSED"
 *   live.jsonl    what `matcher attach` prints, line by line as they are appended
 */
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** One answer to `export`. */
export interface Answer {
  /** Part of the query that it answers. */
  readonly query: string;
  readonly lines: readonly string[];
  /** Milliseconds between two lines. */
  readonly pause?: number;
  /** What comes after the lines; default: exit code 0. */
  readonly after?: "hang" | "fail";
}

export interface Script {
  /** The node does not answer. */
  readonly away?: boolean;
  /** `export` knows --low-priority. */
  readonly lowPriority?: boolean;
  readonly answers?: readonly Answer[];
  /** Values that `matcher add` fails for. */
  readonly refusedValues?: readonly string[];
  /** Milliseconds that `matcher add` and `matcher remove` take; "ENDED" is recorded then. */
  readonly pause?: number;
  /** `matcher attach` fails. */
  readonly noMatcher?: boolean;
}

const folder = process.env.VAST_STUB ?? ".";
const args = process.argv.slice(2);
const starter = process.ppid;

function record(call: readonly string[]): void {
  appendFileSync(join(folder, "calls.jsonl"), `${JSON.stringify(call)}\n`);
}

function script(): Script {
  return JSON.parse(readFileSync(join(folder, "script.json"), "utf8")) as Script;
}

function end(code: number, text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(code);
}

function refuse(why: string): never {
  record(["REFUSED", why, ...args]);
  end(64, why);
}

async function searchEvents(options: readonly string[]): Promise<void> {
  const known = ["--caf.scheduler.max-threads=1", ...(script().lowPriority ? ["--low-priority"] : [])];
  const [format, query = "", ...more] = options.filter((option) => !option.startsWith("--"));
  const flags = options.filter((option) => option.startsWith("--"));
  const unknown = flags.find((flag) => !known.includes(flag) && !/^--max-events=[1-9]\d*$/.test(flag));
  if (unknown !== undefined) refuse(`unknown option ${unknown}`);
  if (format !== "json" || query === "" || more.length > 0) refuse("expected: json QUERY");
  if (options.indexOf("json") !== flags.length) refuse("options belong before the format");
  const answer = script().answers?.find((candidate) => query.includes(candidate.query));
  for (const line of answer?.lines ?? []) {
    process.stdout.write(`${line}\n`);
    await sleep(answer?.pause ?? 0);
  }
  // One that has lost its starter ends, so that no test leaves it behind.
  while (answer?.after === "hang" && process.ppid === starter) await sleep(20);
  if (answer?.after === "fail") end(1, "the query failed");
}

/** Prints what is in live.jsonl from now on. */
async function attach(): Promise<void> {
  if (script().noMatcher) end(1, "there is no such matcher");
  const file = join(folder, "live.jsonl");
  let printed = readFileSync(file, "utf8").length;
  record(["ATTACHED"]);
  process.stdout.on("error", () => process.exit(0));
  while (process.ppid === starter) {
    const text = readFileSync(file, "utf8");
    process.stdout.write(text.slice(printed));
    printed = text.length;
    await sleep(10);
  }
}

async function matcher(action: string | undefined, operands: readonly string[]): Promise<void> {
  if (operands.some((operand) => operand.startsWith("-"))) refuse("unknown option");
  if (action === "attach" && operands.length === 2 && operands[0] === "json") return attach();
  const known = (action === "remove" && operands.length === 2) || (action === "add" && operands.length === 3);
  if (!known) refuse("unknown matcher call");
  const { pause } = script();
  if (pause !== undefined) {
    await sleep(pause);
    record(["ENDED"]);
  }
  if (action === "remove") return;
  if (script().refusedValues?.includes(operands[1] ?? "")) end(1, "that value is not possible");
}

const [flag, endpoint = "", command, ...rest] = args;
if (flag !== "-e" || !/^[^:]+:\d+$/.test(endpoint)) refuse("expected: -e HOST:PORT");
record(args);
if (script().away) end(1, `failed to connect to ${endpoint}`);
if (command === "status" && rest.length === 0) process.stdout.write("{}\n");
else if (command === "export" && rest[0] === "--help" && rest.length === 1) {
  process.stdout.write(`vast export [options]\n${script().lowPriority ? "  --low-priority\n" : ""}  --max-events=N\n`);
} else if (command === "export") await searchEvents(rest);
else if (command === "matcher") await matcher(rest[0], rest.slice(1));
else refuse(`unknown command ${command}`);

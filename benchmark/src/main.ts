/** The benchmark suite: `npm run bench`. */
import { mkdir, writeFile } from "node:fs/promises";
import { type Arguments, readArguments, usage } from "./arguments.ts";
import { type Bench, type Benchmark, reached } from "./benchmark.ts";
import { p1 } from "./definitions/p1.ts";
import { p2 } from "./definitions/p2.ts";
import { p3 } from "./definitions/p3.ts";
import { p4 } from "./definitions/p4.ts";
import { p5, p5Log } from "./definitions/p5.ts";
import { p6, p6Log } from "./definitions/p6.ts";
import { p7, p7Log } from "./definitions/p7.ts";
import { p8 } from "./definitions/p8.ts";
import { p9Nats, p9Rabbitmq } from "./definitions/p9.ts";
import { createLoad } from "./load/load.ts";
import { chart } from "./report/chart.ts";
import { type Entry, machine, type Report } from "./report/results.ts";
import { table } from "./report/table.ts";
import { startForwarder } from "./systems/forwarder.ts";
import { startPythonThreatBus } from "./systems/python-threat-bus.ts";
import { startThreatBus } from "./systems/threat-bus.ts";
import { compileTools } from "./tools.ts";

const benchmarks: readonly Benchmark[] = [p1, p2, p3, p4, p5, p5Log, p6, p6Log, p7, p7Log, p8, p9Rabbitmq, p9Nats];

function say(line: string): void {
  console.error(`bench: ${line}`);
}

function chosen({ only }: Arguments): readonly Benchmark[] {
  const unknown = only.filter((id) => !benchmarks.some((benchmark) => benchmark.id === id));
  if (unknown.length > 0) throw new TypeError(`there is no benchmark ${unknown.join(", ")}`);
  return only.length === 0 ? benchmarks : benchmarks.filter(({ id }) => only.includes(id));
}

async function runOne(benchmark: Benchmark, bench: Bench): Promise<Entry> {
  const { id, title } = benchmark;
  say(`${id}: ${title}`);
  try {
    return { id, title, result: await benchmark.run(bench) };
  } catch (error) {
    const text =
      error instanceof Error ? `${error.message}${error.cause ? `\n${String(error.cause)}` : ""}` : String(error);
    say(`${id} could not run: ${text}`);
    return { id, title, error: text };
  }
}

async function runAll(options: Arguments): Promise<Report> {
  const tools = await compileTools(say);
  const load = createLoad(tools);
  const bench: Bench = {
    quick: options.quick,
    load,
    threatBus: startThreatBus,
    pythonThreatBus: () => startPythonThreatBus(say),
    forwarder: () => startForwarder(tools),
    say,
  };
  const date = new Date().toISOString();
  const entries: Entry[] = [];
  for (const benchmark of chosen(options)) entries.push(await runOne(benchmark, bench));
  return {
    date,
    quick: options.quick,
    load: load.name,
    machine: machine(),
    node: process.version,
    benchmarks: entries,
  };
}

/** 1 when a benchmark could not run or, if strict, missed a bar. */
function exitCode({ strict }: Arguments, { benchmarks }: Report): number {
  if (benchmarks.some(({ error }) => error !== undefined)) return 1;
  const missed = benchmarks.some(({ result }) => result?.bars.some((bar) => !reached(bar)));
  return strict && missed ? 1 : 0;
}

async function main(options: Arguments): Promise<void> {
  if (options.help) return console.log(usage);
  const report = await runAll(options);
  await mkdir(options.out, { recursive: true });
  await writeFile(`${options.out}/results.json`, `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(`${options.out}/chart.svg`, chart(report));
  console.log(table(report));
  console.log(`\n${options.out}/results.json, ${options.out}/chart.svg`);
  process.exitCode = exitCode(options, report);
}

// Children are ended when this process exits: an interrupt has to be an exit.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

try {
  await main(readArguments(process.argv.slice(2)));
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  process.exitCode = 2;
}

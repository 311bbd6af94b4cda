/**
 * What many instances and many messages would take, from what a few were measured to take; see docs/scale.md.
 *
 *   node scripts/scale-model.ts          writes the tables of the page
 *   node scripts/scale-model.ts --check  exits with 1 when they are not current
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PAGE = join(import.meta.dirname, "../docs/scale.md");

/** Processor time in microseconds, measured with `benchmark/src/scale/measure.ts`; the page says on what machine. */
export interface BrokerCosts {
  /** At the instance where a message is published: all that is done with it there. */
  readonly publishing: number;
  /** At each other instance: from the broker to its log and one subscriber. */
  readonly receiving: number;
  /** At the broker: to take and store a message, and to hand it to one instance. */
  readonly broker: number;
  /** At the broker: to hand it to each further instance. */
  readonly fanOut: number;
  /** Times that the broker writes a small message to its disk, by the instances that get it. */
  readonly copies: (instances: number) => number;
}

export const COSTS: Readonly<Record<"rabbitmq" | "nats", BrokerCosts>> = {
  rabbitmq: { publishing: 100, receiving: 78, broker: 97, fanOut: 62, copies: (instances) => instances },
  nats: { publishing: 80, receiving: 53, broker: 40, fanOut: 4, copies: () => 1 },
};

/** Bytes of an indicator of 440 bytes on a connection and in the broker's store. */
const MESSAGE_BYTES = 640;
/** What one machine has: cores for a broker, bytes a second of its network card (10 Gbit/s). */
const BROKER_CORES = 16;
const NETWORK_BYTES = 1.25e9;
const DAY = 86_400;
const MICROSECOND = 1e-6;

export interface Site {
  readonly instances: number;
  /** Messages a second, of all instances together. */
  readonly rate: number;
  /** Part of the messages that an instance asks for: 1 without filters at the broker. */
  readonly share: number;
}

export interface Needs {
  /** Cores of each instance; above 1 it falls behind, as it reads in one thread. */
  readonly instanceCores: number;
  readonly brokerCores: number;
  readonly egressBytes: number;
  readonly writtenBytesPerDay: number;
}

/** What a site needs, where messages come evenly from all instances. An instance also gets back what it has sent. */
export function needsOf(kind: keyof typeof COSTS, { instances, rate, share }: Site): Needs {
  const { publishing, receiving, broker, fanOut, copies } = COSTS[kind];
  const own = rate / instances;
  const others = (rate - own) * share;
  const receivers = 1 + (instances - 1) * share;
  return {
    instanceCores: (own * publishing + others * receiving) * MICROSECOND,
    brokerCores: rate * (broker + (receivers - 1) * fanOut) * MICROSECOND,
    egressBytes: rate * receivers * MESSAGE_BYTES,
    writtenBytesPerDay: rate * copies(receivers) * MESSAGE_BYTES * DAY,
  };
}

/** The limits that are passed, the one passed by most first. */
export function brokenBy({ instanceCores, brokerCores, egressBytes }: Needs): readonly string[] {
  const limits: readonly (readonly [string, number])[] = [
    ["instance", instanceCores],
    ["broker's processor", brokerCores / BROKER_CORES],
    ["broker's network", egressBytes / NETWORK_BYTES],
  ];
  const passed = limits.filter(([, load]) => load > 1).sort(([, a], [, b]) => b - a);
  return passed.map(([what, load]) => `${what} (${figure(load)} x)`);
}

const SITES: readonly Site[] = [
  { instances: 3, rate: 1_000, share: 1 },
  { instances: 10, rate: 1_000, share: 1 },
  { instances: 10, rate: 10_000, share: 1 },
  { instances: 100, rate: 1_000, share: 1 },
  { instances: 100, rate: 10_000, share: 1 },
  { instances: 1_000, rate: 1_000, share: 1 },
  { instances: 1_000, rate: 10_000, share: 1 },
  { instances: 1_000, rate: 1_000_000, share: 1 },
  { instances: 1_000, rate: 1_000_000, share: 0.001 },
];

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(2)));
}

function row(kind: keyof typeof COSTS, site: Site): readonly string[] {
  const needs = needsOf(kind, site);
  return [
    figure(site.instances),
    figure(site.rate),
    `${site.share * 100} %`,
    figure(needs.instanceCores),
    figure(needs.brokerCores),
    `${figure(needs.egressBytes / 1e6)} MB/s`,
    `${figure(needs.writtenBytesPerDay / 1e9)} GB`,
    brokenBy(needs).join(", ") || "none",
  ];
}

/** One table for a broker, in markdown. */
export function tableOf(kind: keyof typeof COSTS): string {
  const head = ["instances", "msg/s", "asked for", "cores of an instance", "cores of the broker", "sent by the broker"];
  const rows = [[...head, "written a day", "limits passed"], ...SITES.map((site) => row(kind, site))];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))) ?? [];
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const [first = [], ...others] = rows;
  return [line(first), line(widths.map((width) => "-".repeat(width))), ...others.map(line)].join("\n");
}

/** The page with its tables written anew. */
export function withTables(page: string): string {
  return (Object.keys(COSTS) as (keyof typeof COSTS)[]).reduce((text, kind) => {
    const between = new RegExp(`(<!-- model: ${kind} -->\n)[^]*?(<!-- end -->)`);
    return text.replace(between, (_, begin: string, end: string) => `${begin}\n${tableOf(kind)}\n\n${end}`);
  }, page);
}

if (import.meta.main) {
  const page = readFileSync(PAGE, "utf8");
  const current = withTables(page);
  if (!process.argv.includes("--check")) writeFileSync(PAGE, current);
  else if (page !== current) {
    console.error("docs/scale.md is not current: node scripts/scale-model.ts");
    process.exitCode = 1;
  }
}

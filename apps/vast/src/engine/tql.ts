/**
 * Pipelines in Tenzir's query language TQL, as Tenzir 6.20 reads them. Values get into them as string literals only:
 * those of TQL understand every escape that JSON has.
 */
import { isIP } from "node:net";
import { type Ioc, isNetwork } from "../ioc.ts";

/**
 * Succeeds, without a node, where the program knows the function that searches are made of. Tenzir 6.0 has `contains` in
 * its place, which overlooks texts in events that have a list of something else.
 */
export const LANGUAGE_PROBE = lines("from {a: 1}", "where search(this, 1)", "write_ndjson");

/** One short line for each of the metrics that a node collects, of all kinds the most regular. */
export const HEARTBEAT = lines(
  "export live=true, internal=true",
  'where @name == "tenzir.metrics.actor" or @name == "tenzir.metrics.process"',
  "this = {metrics: @name}",
  "write_ndjson",
);

/** Where to look in events; paths such as `id.orig_h`. */
export interface Fields {
  readonly ip: readonly string[];
  readonly domain: readonly string[];
  readonly url: readonly string[];
}

/** The kinds of keys that a lookup table has. */
type KeyKind = "ip" | "subnet" | "text";

function lines(...all: readonly string[]): string {
  return all.join("\n");
}

/** Text as a string literal: the one way in which a value from outside gets into a pipeline. */
export function literal(text: string): string {
  return JSON.stringify(text.toWellFormed());
}

/** `id.orig_h` of an event that may have no `id`. */
function optional(path: string): string {
  return path
    .split(".")
    .map((name) => `${name}?`)
    .join(".");
}

/** Fails where the node does not answer. */
export const NODE_PROBE = lines("context_list", "write_ndjson");

/** @param maxEvents 0: no limit */
export function retroPipeline(ioc: Ioc, maxEvents: number, fields: Fields): string {
  const limit = maxEvents > 0 ? [`head ${maxEvents}`] : [];
  return lines("export", `where ${condition(ioc, fields)}`, ...limit, "write_ndjson");
}

function condition({ value, type }: Ioc, fields: Fields): string {
  if (type === "domain" || type === "url") {
    const anyCase = type === "domain" ? ", ignore_case=true" : "";
    return `search(this, ${literal(value)}, exact=true${anyCase})`;
  }
  // `search` compares addresses; whether one is in a network has to be asked field by field.
  if (!isNetwork(value)) return `search(this, ip(${literal(value)}))`;
  const inNetwork = fields.ip.map((path) => `${optional(path)} in subnet(${literal(value)})`);
  return inNetwork.length === 0 ? "false" : inNetwork.join(" or ");
}

export function createTable(name: string): string {
  return `context_create_lookup_table ${literal(name)}`;
}

/** The kind of key for a value; a network is found by the addresses in it. */
export function keyKind(value: string): KeyKind {
  if (isIP(value) !== 0) return "ip";
  return isNetwork(value) ? "subnet" : "text";
}

/** Takes lines `{"key": ..., "value": ...}` on standard input, all of one kind. */
export function updateTable(name: string, kind: KeyKind): string {
  return lines(...typedKeys(kind), `context_update ${literal(name)}, key=key, value=value`);
}

/** Takes lines `{"key": ...}` on standard input, all of one kind. */
export function eraseFromTable(name: string, kind: KeyKind): string {
  return lines(...typedKeys(kind), `context_erase ${literal(name)}, key=key`);
}

/** `raw`: a domain that looks like a date or a number stays text. */
function typedKeys(kind: KeyKind): string[] {
  return ["from_stdin { read_ndjson raw=true }", ...(kind === "text" ? [] : [`key = ${kind}(key)`])];
}

/** Prints `{"matches": [{"value": ..., "reference": ...}], "event": {...}}` for each new event with a value of the table. */
export function livePipeline(name: string, fields: Fields): string {
  const keys = [
    ...[...fields.ip, ...fields.url].map((path) => `event.${optional(path)}`),
    ...fields.domain.map((path) => `event.${optional(path)}.to_lower()`),
  ];
  const found = keys.map((_, index) => `m${index}`);
  return lines(
    "export live=true",
    "this = {event: this}",
    ...keys.map((key, index) => `context_enrich ${literal(name)}, key=${key}, into=m${index}`),
    `where ${found.map((field) => `${field} != null`).join(" or ") || "false"}`,
    `this = {matches: [${found.join(", ")}].where(x => x != null), event: event}`,
    "write_ndjson",
  );
}

import { z } from "zod";
import { coreSchema } from "./schema.ts";

/** One setting, for the reference in docs/configuration.md. */
export interface SettingRow {
  /** Full path: `logging.console_verbosity`. */
  readonly key: string;
  /** `text`, `port`, `duration`, `one of pretty, json`, ... */
  readonly type: string;
  /** As one writes it in YAML; undefined where there is none. */
  readonly default: string | undefined;
  readonly required: boolean;
  readonly description: string;
}

/** The part of JSON Schema from which rows are made. */
interface Node {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  /** What every member of a map without fixed keys is. */
  readonly additionalProperties?: Node | boolean;
  readonly anyOf?: readonly Node[];
}

/**
 * The settings of a schema, one row each, sections before their members. Names, types, defaults and descriptions come
 * from the schema (`.describe()`; `.meta({ title })` names a type of its own, such as `duration`).
 * @param prefix path of the section: `plugins.apps.zmq`; empty for the whole file.
 */
export function describeSchema(schema: z.ZodType, prefix: string): SettingRow[] {
  const node = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline" }) as Node;
  return rowsOf(node, prefix);
}

/** The settings of the file that belong to no plugin. */
export function describeCore(): SettingRow[] {
  return describeSchema(coreSchema, "");
}

function rowsOf(node: Node, prefix: string): SettingRow[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, member]) => {
    const key = prefix === "" ? name : `${prefix}.${name}`;
    const initial = member.default;
    const row: SettingRow = {
      key,
      type: typeOf(member),
      default: initial === undefined || isEmptyMap(initial) ? undefined : yamlText(initial),
      required: node.required?.includes(name) === true && initial === undefined,
      description: member.description ?? "",
    };
    return [row, ...[member, ...(member.anyOf ?? [])].flatMap((inner) => membersOf(inner, key))];
  });
}

/** Rows of what stands in a section, in each section of a list (`websocket[].url`) or of a map (`modules.<name>.host`). */
function membersOf(node: Node, key: string): SettingRow[] {
  const { items, additionalProperties: each } = node;
  return [
    ...rowsOf(node, key),
    ...(items === undefined ? [] : rowsOf(items, `${key}[]`)),
    ...(typeof each === "object" ? rowsOf(each, `${key}.<name>`) : []),
  ];
}

function isEmptyMap(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}

function yamlText(value: unknown): string {
  return typeof value === "string" && /^[A-Za-z0-9./_:-]+$/.test(value) ? value : JSON.stringify(value);
}

const TYPES: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  number: "number",
  boolean: "true or false",
  object: "map",
  null: "nothing",
};

function typeOf(node: Node): string {
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(" or ");
  if ("const" in node) return yamlText(node.const);
  if (node.enum !== undefined) return `one of ${node.enum.map(yamlText).join(", ")}`;
  if (node.title !== undefined) return node.title;
  if (node.type === "array") return node.items === undefined ? "list" : `list of ${typeOf(node.items)}`;
  return TYPES[node.type ?? ""] ?? "any";
}

/** The rows as a markdown table. */
export function settingsTable(rows: readonly SettingRow[]): string {
  const lines = rows.map((row) => {
    const initial = row.required ? "required" : row.default === undefined ? "" : `\`${row.default}\``;
    return `| \`${row.key}\` | ${cell(row.type)} | ${initial} | ${cell(row.description)} |`;
  });
  return ["| setting | type | default | meaning |", "| --- | --- | --- | --- |", ...lines, ""].join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/**
 * Writes the reference pages that follow from the code: docs/configuration.md, docs/connector-settings.md and docs/errors.md.
 *
 *   node scripts/generate-docs.ts            writes them
 *   node scripts/generate-docs.ts --check    exits with 1 and names the pages that are not current
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import http from "@threatbus/app-http";
import zeek from "@threatbus/app-zeek";
import zmq from "@threatbus/app-zmq";
import fileBenchmark from "@threatbus/backbone-file-benchmark";
import inmem from "@threatbus/backbone-inmem";
import nats from "@threatbus/backbone-nats";
import rabbitmq from "@threatbus/backbone-rabbitmq";
import { connector as opencti } from "@threatbus/connector-opencti";
import { connector as stixShifter } from "@threatbus/connector-stix-shifter";
import { connector as suricata } from "@threatbus/connector-suricata";
import { connector as vast } from "@threatbus/connector-vast";
import {
  describeCore,
  describeSchema,
  ERRORS,
  type PluginDefinition,
  type SettingRow,
  settingsTable,
} from "@threatbus/core";
import { STORE_ERRORS } from "@threatbus/store";

const DOCS = resolve(import.meta.dirname, "../docs");
const PLUGINS: readonly PluginDefinition[] = [inmem, rabbitmq, nats, fileBenchmark, zmq, zeek, http];
const CONNECTORS = [opencti, vast, suricata, stixShifter].map((connector) => ({
  ...connector,
  rows: describeSchema(connector.settingsSchema, ""),
}));
const NOTE = "<!-- Made by `npm run docs`; change the code instead. -->\n";

const pages = {
  "configuration.md": configurationPage(),
  "connector-settings.md": connectorsPage(),
  "errors.md": errorsPage(),
};
const stale = Object.entries(pages).filter(([name, text]) => currentText(name) !== text);
if (process.argv.includes("--check")) {
  for (const [name] of stale) console.error(`docs/${name} is not current: run npm run docs`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const [name, text] of stale) writeFileSync(join(DOCS, name), text);
}

function currentText(name: string): string | undefined {
  const path = join(DOCS, name);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function configurationPage(): string {
  const intro = readFileSync(join(import.meta.dirname, "docs/configuration-intro.md"), "utf8").trimEnd();
  const sections = PLUGINS.map((plugin) => {
    const path = `plugins.${plugin.kind === "app" ? "apps" : "backbones"}.${plugin.name}`;
    const rows = describeSchema(plugin.configSchema, path);
    return `## ${path}\n\n${plugin.description}.\n\n${rows.length === 0 ? "It has no settings.\n" : settingsTable(rows)}`;
  });
  const bus = `## Settings of the bus\n\n${settingsTable(describeCore())}`;
  return [`${NOTE}${intro}\n`, bus, ...sections].join("\n");
}

/** What all connectors have alike comes first; then what each has of its own, or otherwise. */
function connectorsPage(): string {
  const intro = readFileSync(join(import.meta.dirname, "docs/connector-settings-intro.md"), "utf8").trimEnd();
  const [first, ...others] = CONNECTORS;
  const has = (rows: readonly SettingRow[], row: SettingRow) =>
    rows.some((other) => JSON.stringify(other) === JSON.stringify(row));
  const alike = first?.rows.filter((row) => others.every(({ rows }) => has(rows, row))) ?? [];
  const sections = CONNECTORS.map(({ name, description, variablePrefix, variableAliases = {}, rows }) => {
    const aliases = Object.entries(variableAliases).map(([name, path]) => `\`${name}\` (\`${path.join(".")}\`)`);
    const more = aliases.length === 0 ? "" : ` Also: ${aliases.join(", ")}.`;
    const own = settingsTable(rows.filter((row) => !has(alike, row)));
    return `## threatbus-${name}\n\n${description}. Environment variables: \`${variablePrefix}\` and the setting.${more}\n\n${own}`;
  });
  return [`${NOTE}${intro}\n`, `## Settings of every connector\n\n${settingsTable(alike)}`, ...sections].join("\n");
}

function errorsPage(): string {
  const intro = readFileSync(join(import.meta.dirname, "docs/errors-intro.md"), "utf8").trimEnd();
  const storeIntro = readFileSync(join(import.meta.dirname, "docs/errors-store.md"), "utf8").trimEnd();
  const rows = Object.entries(ERRORS).map(
    ([code, { summary, hint, exitCode, retryable }]) =>
      `| \`${code}\` | ${summary} | ${hint} | ${exitCode} | ${yesOrNo(retryable)} |`,
  );
  const table = [
    "| code | what happened | what to do | exit code | can a retry help |",
    "| --- | --- | --- | --- | --- |",
  ];
  const storeRows = Object.entries(STORE_ERRORS).map(
    ([code, { hint, retryable }]) => `| \`${code}\` | ${hint} | ${yesOrNo(retryable)} |`,
  );
  const storeTable = ["| code | what to do | can a retry help |", "| --- | --- | --- |"];
  const text = [...table, ...rows, "", storeIntro, "", ...storeTable, ...storeRows].join("\n");
  return `${NOTE}${intro}\n\n${text}\n`;
}

function yesOrNo(value: boolean): string {
  return value ? "yes" : "no";
}

import { type Command, Option } from "commander";
import { configOption, positiveInteger, wholeNumber } from "../../arguments.ts";
import type { LogOptions } from "./open.ts";

const EXAMPLES = `
Examples:
  threatbus log stats                               what is in the log, since when, and how large it is
  threatbus log tail -f                             the newest messages, and then what comes
  threatbus log find 198.51.100.3                   was this ever distributed, from where, to whom, was it sighted
  threatbus log get indicator--46b3f973-5c03-41fc-9efe-49598a267a35
  threatbus log export --since 7d --output week.jsonl
  threatbus log export --format bundle | jq .
  threatbus log backup /srv/backup/threatbus.db

The log is the one of the configuration, or --path FILE. A running bus does not matter, but for import and prune.`;

/** Options that several of the commands have. */
const jsonOption = () => new Option("--json", "print JSON");
const typeOption = () => new Option("--type <type>", "only these").choices(["indicator", "sighting"]);

/** `threatbus log`: each of its commands is imported when it runs. */
export function addLog(program: Command): void {
  const log = withPlace(program.command("log"))
    .description("look into the durable log, take from it, add to it and check it")
    .addHelpText("after", EXAMPLES);
  addLooks(log);
  addTransfers(log);
  addCare(log);
}

/** The options that say which log. They may stand before the name of the command as well as behind it. */
function withPlace(command: Command): Command {
  return command.addOption(configOption()).option("--path <file>", "the log itself, whatever the configuration says");
}

/** What is given behind the command, else before it. */
function merged<Options extends LogOptions>(options: Options, command: Command): Options {
  return { ...command.parent?.parent?.opts(), ...command.parent?.opts(), ...options };
}

function addLooks(log: Command): void {
  const look = (name: string) => withPlace(log.command(name));
  look("stats")
    .description("records, times, sizes")
    .option("--count", "also count types and sources, which reads the whole log")
    .addOption(jsonOption())
    .action(async (options, command) => (await import("./stats.ts")).stats(merged(options, command)));
  look("tail")
    .description("print the newest messages")
    .option("-n, --lines <n>", "how many", wholeNumber, 10)
    .option("-f, --follow", "go on with what comes, until ctrl-C")
    .addOption(typeOption())
    .addOption(new Option("--json", "print one JSON object per line: position, receivedAt, source and the object"))
    .action(async (options, command) => (await import("./tail.ts")).tail(merged(options, command)));
  look("get")
    .description("all states of an object, and who got the newest; exit code 1 when it is not there")
    .argument("<id>", "STIX id of an indicator or sighting")
    .addOption(jsonOption())
    .action(async (id, options, command) => (await import("./get.ts")).get(id, merged(options, command)));
  look("find")
    .description("was a value ever distributed: when, from where, to whom, was it sighted; exit code 1 when it was not")
    .argument("<value>", "address, domain, hash, ..., or the STIX id of an indicator")
    .option("--scan", "read the whole log: finds the value in compound patterns too")
    .option("--limit <n>", "show at most this many indicators", positiveInteger, 100)
    .addOption(jsonOption())
    .action(async (value, options, command) => (await import("./find.ts")).find(value, merged(options, command)));
}

function addTransfers(log: Command): void {
  withPlace(log.command("export"))
    .description("write what the log has, as JSON lines or as a STIX bundle")
    .option("--since <time>", "received at or after: 2026-03-04, 2026-03-04T05:06Z, or 12h or 30d ago")
    .option("--until <time>", "received before")
    .addOption(typeOption())
    .addOption(new Option("--format <format>", "how").choices(["jsonl", "bundle"]).default("jsonl"))
    .addOption(
      new Option("--states <which>", "of each object; default: all for jsonl, newest for bundle").choices([
        "all",
        "newest",
      ]),
    )
    .option("--output <file>", "a new file; default: standard output")
    .action(async (options, command) => (await import("./export.ts")).exportLog(merged(options, command)));
  withPlace(log.command("import"))
    .description("append STIX objects, bundles or JSON lines to the log; the bus must not be running")
    .argument("<file>", "file to read; - is standard input")
    .option("--dry-run", "only check the file")
    .action(async (file, options, command) => (await import("./import.ts")).importFile(file, merged(options, command)));
}

function addCare(log: Command): void {
  withPlace(log.command("check"))
    .description("look at every page and index entry; exit code 1 when something is wrong")
    .addOption(jsonOption())
    .action(async (options, command) => (await import("./check.ts")).checkFile(merged(options, command)));
  withPlace(log.command("backup"))
    .description("copy the log as it is now; the bus may go on")
    .argument("<file>", "a file that does not exist yet")
    .action(async (file, options, command) => (await import("./backup.ts")).backup(file, merged(options, command)));
  withPlace(log.command("prune"))
    .description("apply the configured max_age and max_bytes now; the bus must not be running")
    .option("--older-than <duration>", "instead: remove what is older, such as 30d")
    .option("--max-bytes <size>", "instead: remove the oldest beyond this size, such as 1GiB")
    .option("--dry-run", "only say what would be removed")
    .action(async (options, command) => (await import("./prune.ts")).prune(merged(options, command)));
}

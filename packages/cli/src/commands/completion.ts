import type { Argument, Command, Option } from "commander";
import { print } from "../terminal.ts";
import { TOPICS } from "../topics.ts";

interface Flag {
  /** `--config` or `-c`. */
  readonly flag: string;
  readonly description: string;
  readonly takesValue: boolean;
  /** The values there are; none: any, which may be a file. */
  readonly values: readonly string[];
}

/** What can stand behind one command. */
interface Entry {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly Flag[];
  /** Words that its arguments may be; none: files. */
  readonly words: readonly string[];
  /** The commands below it. */
  readonly commands: readonly Entry[];
}

/** `threatbus completion`: a script made from the commands themselves, so that it cannot be out of date. */
export async function completion(shell: "bash" | "zsh" | "fish", program: Command): Promise<void> {
  const entries = program.commands.map(entryOf);
  const own = program.options.flatMap(flagsOf).concat(HELP);
  const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };
  await print(scripts[shell](entries, own));
}

const HELP: Flag = { flag: "--help", description: "display help", takesValue: false, values: [] };

function entryOf(command: Command): Entry {
  return {
    name: command.name(),
    description: command.description(),
    flags: [...command.options.flatMap(flagsOf), HELP],
    words: command.registeredArguments.flatMap(wordsOf),
    commands: command.commands.map(entryOf),
  };
}

function flagsOf({ short, long, description, required, argChoices }: Option): Flag[] {
  const about = { description, takesValue: required, values: argChoices ?? [] };
  return [short, long].flatMap((flag) => (flag === undefined ? [] : [{ flag, ...about }]));
}

function wordsOf(argument: Argument): readonly string[] {
  return argument.argChoices ?? (argument.name() === "topic" ? TOPICS : []);
}

const names = (entries: readonly Entry[]): string => entries.map(({ name }) => name).join(" ");
const flagNames = (flags: readonly Flag[]): string => flags.map(({ flag }) => flag).join(" ");

/** Every command by all its words: `log`, `log stats`. */
function fullNames(entries: readonly Entry[], before = ""): readonly (readonly [name: string, entry: Entry])[] {
  return entries.flatMap((entry) => {
    const name = `${before}${entry.name}`;
    return [[name, entry] as const, ...fullNames(entry.commands, `${name} `)];
  });
}

function bashScript(entries: readonly Entry[], own: readonly Flag[]): string {
  const all = fullNames(entries);
  const groups = all.filter(([, { commands }]) => commands.length > 0);
  const takers = [...own, ...groups.flatMap(([, { flags }]) => flags)].filter(({ takesValue }) => takesValue);
  const values = [["", { flags: own }] as const, ...all].flatMap(([name, { flags }]) =>
    flags
      .filter(({ takesValue }) => takesValue)
      .map(({ flag, values }) => `    "${name} ${flag}") _threatbus_offer "${values.join(" ")}"; return ;;`),
  );
  const cases = all.map(
    ([name, { flags, words, commands }]) =>
      `    "${name}") flags="${flagNames(flags)}" words="${[...words, names(commands)].join(" ").trim()}" ;;`,
  );
  return `# bash completion of threatbus; use it with: source <(threatbus completion bash)
_threatbus() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="" i
  local flags="${flagNames(own)}" words="${names(entries)}"
  _threatbus_offer() { COMPREPLY=($(compgen -W "$1" -- "$current")); }
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      ${[...new Set(takers.map(({ flag }) => flag))].join(" | ")}) i=$((i + 1)) ;;
      -*) ;;
      *)
        command="$command\${command:+ }\${COMP_WORDS[i]}"
        case "$command" in ${groups.map(([name]) => `"${name}"`).join(" | ")}) ;; *) break ;; esac ;;
    esac
  done
  case "$command \${COMP_WORDS[COMP_CWORD - 1]}" in
${values.join("\n")}
  esac
  case "$command" in
${cases.join("\n")}
  esac
  if [[ "$current" == -* ]]; then _threatbus_offer "$flags"; else _threatbus_offer "$words"; fi
}
complete -o default -F _threatbus threatbus`;
}

/** Text inside single quotes of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** One option as `_arguments` of zsh takes it: `--format[description]:value:(json pretty)`. */
function zshFlag({ flag, description, takesValue, values }: Flag): string {
  const action = values.length === 0 ? "_files" : `(${values.join(" ")})`;
  const about = description.replace(/[[\]:\\]/g, "\\$&");
  return quoted(`${flag}[${about}]${takesValue ? `:value:${action}` : ""}`);
}

/** A function that completes the commands of a group, those of groups below it first. */
function zshFunction(name: string, entries: readonly Entry[], own: readonly Flag[]): string {
  const described = entries.map(
    ({ name, description }) => `    ${quoted(`${name}:${description.replaceAll(":", "\\:")}`)}`,
  );
  const groups = entries.filter(({ commands }) => commands.length > 0);
  const cases = entries.map((entry) => {
    if (groups.includes(entry)) return `        ${entry.name}) ${name}_${entry.name} ;;`;
    const rest = entry.words.length === 0 ? "*:file:_files" : `*:word:(${entry.words.join(" ")})`;
    return `        ${entry.name}) _arguments ${entry.flags.map(zshFlag).join(" ")} ${quoted(rest)} ;;`;
  });
  return `${groups.map((entry) => `${zshFunction(`${name}_${entry.name}`, entry.commands, entry.flags)}\n`).join("")}${name}() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(
${described.join("\n")}
  )
  _arguments -C ${own.map(zshFlag).join(" ")} '1:command:->command' '*::argument:->argument'
  case "$state" in
    command) _describe command commands ;;
    argument)
      case "\${line[1]}" in
${cases.join("\n")}
      esac ;;
  esac
}`;
}

function zshScript(entries: readonly Entry[], own: readonly Flag[]): string {
  return `#compdef threatbus
# zsh completion of threatbus; use it with: source <(threatbus completion zsh)
${zshFunction("_threatbus", entries, own)}
compdef _threatbus threatbus`;
}

/** One option as `complete` of fish takes it. */
function fishFlag({ flag, description, takesValue, values }: Flag): string {
  const option = flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
  const choices = values.length === 0 ? "-r" : `-x -a ${quoted(values.join(" "))}`;
  return `${option}${takesValue ? ` ${choices}` : ""} -d ${quoted(description)}`;
}

function fishScript(entries: readonly Entry[], own: readonly Flag[]): string {
  const lines = own.map((flag) => `complete -c threatbus -n __fish_use_subcommand ${fishFlag(flag)}`);
  for (const { name, description, flags, words, commands } of entries) {
    const below = commands.map((each) => each.name).join(" ");
    const seen = `__fish_seen_subcommand_from ${name}`;
    const inside = `complete -c threatbus -n '${below === "" ? seen : `${seen}; and not __fish_seen_subcommand_from ${below}`}'`;
    lines.push(`complete -c threatbus -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`);
    for (const flag of flags) lines.push(`${inside} ${fishFlag(flag)}`);
    if (words.length > 0) lines.push(`${inside} -f -a ${quoted(words.join(" "))}`);
    for (const each of commands) lines.push(`${inside} -f -a ${each.name} -d ${quoted(each.description)}`);
    for (const each of commands) {
      const within = `complete -c threatbus -n '${seen}; and __fish_seen_subcommand_from ${each.name}'`;
      for (const flag of each.flags) lines.push(`${within} ${fishFlag(flag)}`);
      if (each.words.length > 0) lines.push(`${within} -f -a ${quoted(each.words.join(" "))}`);
    }
  }
  return ["# fish completion of threatbus; use it with: threatbus completion fish | source", ...lines].join("\n");
}

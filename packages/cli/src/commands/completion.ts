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

function bashScript(entries: readonly Entry[], own: readonly Flag[]): string {
  const values = [{ name: "", flags: own }, ...entries].flatMap(({ name, flags }) =>
    flags
      .filter(({ takesValue }) => takesValue)
      .map(({ flag, values }) => `    "${name} ${flag}") _threatbus_offer "${values.join(" ")}"; return ;;`),
  );
  const cases = entries.map(
    ({ name, flags, words }) => `    ${name}) flags="${flagNames(flags)}" words="${words.join(" ")}" ;;`,
  );
  return `# bash completion of threatbus; use it with: source <(threatbus completion bash)
_threatbus() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="" i
  local flags="${flagNames(own)}" words="${names(entries)}"
  _threatbus_offer() { COMPREPLY=($(compgen -W "$1" -- "$current")); }
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -c | --config) i=$((i + 1)) ;;
      -*) ;;
      *) command="\${COMP_WORDS[i]}"; break ;;
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

function zshScript(entries: readonly Entry[], own: readonly Flag[]): string {
  const described = entries.map(
    ({ name, description }) => `    ${quoted(`${name}:${description.replaceAll(":", "\\:")}`)}`,
  );
  const cases = entries.map(({ name, flags, words }) => {
    const rest = words.length === 0 ? "*:file:_files" : `*:word:(${words.join(" ")})`;
    return `        ${name}) _arguments ${flags.map(zshFlag).join(" ")} ${quoted(rest)} ;;`;
  });
  return `#compdef threatbus
# zsh completion of threatbus; use it with: source <(threatbus completion zsh)
_threatbus() {
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
}
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
  for (const { name, description, flags, words } of entries) {
    const inside = `complete -c threatbus -n '__fish_seen_subcommand_from ${name}'`;
    lines.push(`complete -c threatbus -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`);
    for (const flag of flags) lines.push(`${inside} ${fishFlag(flag)}`);
    if (words.length > 0) lines.push(`${inside} -f -a ${quoted(words.join(" "))}`);
  }
  return ["# fish completion of threatbus; use it with: threatbus completion fish | source", ...lines].join("\n");
}

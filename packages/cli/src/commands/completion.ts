import type { Command } from "commander";
import { print } from "../terminal.ts";

interface Entry {
  readonly name: string;
  readonly description: string;
  /** Long and short flags. */
  readonly flags: readonly { readonly flag: string; readonly description: string }[];
}

/** `threatbus completion`: a script made from the commands themselves, so that it cannot be out of date. */
export async function completion(shell: "bash" | "zsh" | "fish", program: Command): Promise<void> {
  const entries = program.commands.map(entryOf);
  const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };
  await print(scripts[shell](entries));
}

function entryOf(command: Command): Entry {
  const flags = command.options.flatMap(({ short, long, description }) =>
    [short, long].flatMap((flag) => (flag === undefined ? [] : [{ flag, description }])),
  );
  return {
    name: command.name(),
    description: command.description(),
    flags: [...flags, { flag: "--help", description: "display help" }],
  };
}

const names = (entries: readonly Entry[]): string => entries.map(({ name }) => name).join(" ");
const flagsOf = ({ flags }: Entry): string => flags.map(({ flag }) => flag).join(" ");

function bashScript(entries: readonly Entry[]): string {
  const cases = entries.map((entry) => `    ${entry.name}) words="${flagsOf(entry)}" ;;`);
  return `# bash completion of threatbus; use it with: source <(threatbus completion bash)
_threatbus() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    *) words="${names(entries)} --config --help --version" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="${names(entries)} --config --help --version"
  [ "\${COMP_WORDS[1]}" = completion ] && words="bash zsh fish"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _threatbus threatbus`;
}

/** Text inside single quotes of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function zshScript(entries: readonly Entry[]): string {
  const described = entries.map(({ name, description }) => `    ${quoted(`${name}:${description}`)}`);
  const cases = entries.map((entry) => `    ${entry.name}) compadd -- ${flagsOf(entry)}; _files ;;`);
  return `#compdef threatbus
# zsh completion of threatbus; use it with: source <(threatbus completion zsh)
_threatbus() {
  local -a commands=(
${described.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    compadd -- --config --help --version
    return
  fi
  case "\${words[2]}" in
    completion) compadd bash zsh fish ;;
${cases.filter((line) => !line.startsWith("    completion)")).join("\n")}
  esac
}
compdef _threatbus threatbus`;
}

function fishScript(entries: readonly Entry[]): string {
  const lines = entries.flatMap(({ name, description, flags }) => [
    `complete -c threatbus -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
    ...flags.map(({ flag, description: about }) => {
      const option = flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
      return `complete -c threatbus -n '__fish_seen_subcommand_from ${name}' ${option} -d ${quoted(about)}`;
    }),
  ]);
  const shells = "complete -c threatbus -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'";
  return ["# fish completion of threatbus; use it with: threatbus completion fish | source", ...lines, shells].join(
    "\n",
  );
}

import { constants } from "node:fs";
import { access, open, realpath } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandOptions } from "@threatbus/connector";

/** How STIX-Shifter is started. */
export interface Launcher {
  /** What to run so that STIX-Shifter gets these arguments. */
  readonly command: (args: readonly string[]) => Pick<CommandOptions, "program" | "args" | "input">;
  /** Longest argument, in bytes. */
  readonly maxArgument: number;
}

const SCRIPT = fileURLToPath(new URL("run-stix-shifter.py", import.meta.url));
/** `#!/usr/lib/venv/bin/python3`, `#!/usr/bin/env python3` */
const DIRECT = /^#! ?((?:\/usr\/bin\/env )?\S*python[\d.]*)[ \r]*\n/;
/** What pip writes where the path is too long for the first line, or has spaces. */
const BEHIND_SHELL = /^#!\/bin\/sh\n'''exec' (?:"([^"\n]+)"|(\S+)) "\$0" "\$@"\n/;
const MAX_HEAD = 4_096;
/** Linux takes 128 KiB for one argument (MAX_ARG_STRLEN). */
const MAX_ARGUMENT = 120_000;
/** Bounds the memory of the Python process; one argument has no limit of its own on standard input. */
const MAX_INPUT = 8 * 1024 * 1024;

/**
 * Finds the program and how to start it. The command line of STIX-Shifter takes credentials as arguments and nowhere
 * else, so its script is run by its own interpreter with arguments that it reads from standard input.
 * @param allowArguments a program that is no Python script may get them as arguments
 * @throws Error when there is no such program, or it may not be used so
 */
export async function findLauncher(program: string, allowArguments: boolean): Promise<Launcher> {
  const path = await locate(program);
  const interpreter = interpreterOf(await headOf(path));
  if (interpreter !== undefined) {
    const [python = "python3", ...before] = interpreter;
    return {
      command: (args) => ({ program: python, args: [...before, SCRIPT, path], input: JSON.stringify(args) }),
      maxArgument: MAX_INPUT,
    };
  }
  if (allowArguments) return { command: (args) => ({ program: path, args }), maxArgument: MAX_ARGUMENT };
  throw new Error(
    `${path} is no Python script: credentials would be arguments of it, for every user to read. ` +
      "Give the script that pip has installed as `stix_shifter`, or set `credentials_in_arguments: true`.",
  );
}

/** @returns the interpreter of a Python script and its first arguments, by the first lines of the script. */
export function interpreterOf(head: string): string[] | undefined {
  const direct = DIRECT.exec(head)?.[1];
  if (direct !== undefined) return direct.split(" ");
  const [, quoted, plain] = BEHIND_SHELL.exec(head) ?? [];
  const path = quoted ?? plain;
  return path === undefined ? undefined : [path];
}

async function locate(program: string): Promise<string> {
  const folders = program.includes("/")
    ? [""]
    : (process.env.PATH ?? "").split(delimiter).filter((path) => path !== "");
  for (const folder of folders) {
    const path = folder === "" ? resolve(program) : join(folder, program);
    try {
      await access(path, constants.X_OK);
      return await realpath(path);
    } catch {
      // The next folder.
    }
  }
  throw new Error(
    `there is no program ${program}: install it with \`pip install stix-shifter stix-shifter-utils\` and the modules, ` +
      "and give its path as `stix_shifter`.",
  );
}

async function headOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_HEAD), 0, MAX_HEAD, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

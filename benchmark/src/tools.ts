/** The load generator and the forwarder in C, compiled where their sources and a compiler are. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { aptInstall } from "../../scripts/apt.ts";
import { root } from "../../scripts/python/environments.ts";
import { run } from "../../scripts/run-command.ts";

/** Paths of the two programs. */
export interface Tools {
  readonly tbload: string;
  readonly forwarder: string;
}

/**
 * Compiles tbload.c and zmq-forwarder.c into build/bench, after installing the headers of libzmq where
 * that is possible. Undefined, with the reason said, when there are no sources or they cannot be compiled.
 */
export async function compileTools(say: (line: string) => void): Promise<Tools | undefined> {
  const sources = process.env.THREATBUS_BENCH_TOOLS ?? `${root}/../shared/tools`;
  if (!existsSync(`${sources}/tbload.c`) || !existsSync(`${sources}/zmq-forwarder.c`)) {
    say(`no tbload.c and zmq-forwarder.c in ${sources}: the load comes from npm zeromq`);
    return undefined;
  }
  try {
    return await compileBoth(sources, say);
  } catch (error) {
    say(`the load comes from npm zeromq: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function compileBoth(sources: string, say: (line: string) => void): Promise<Tools> {
  const folder = `${root}/build/bench`;
  await mkdir(folder, { recursive: true });
  const tools = { tbload: `${folder}/tbload`, forwarder: `${folder}/zmq-forwarder` };
  if ((await compile(`${sources}/tbload.c`, tools.tbload)) !== undefined) {
    say("no C compiler with the headers of libzmq here");
    await aptInstall(["gcc", "libc6-dev", "libzmq3-dev"], say);
    await mustCompile(`${sources}/tbload.c`, tools.tbload);
  }
  await mustCompile(`${sources}/zmq-forwarder.c`, tools.forwarder);
  return tools;
}

async function mustCompile(source: string, program: string): Promise<void> {
  const failure = await compile(source, program);
  if (failure !== undefined) throw new Error(`cannot compile ${source}:\n${failure}`);
}

/** What the compiler said when it failed. */
async function compile(source: string, program: string): Promise<string | undefined> {
  const { code, output } = await run("cc", ["-O2", "-D_GNU_SOURCE", "-o", program, source, "-lzmq", "-lpthread"]);
  return code === 0 ? undefined : output;
}

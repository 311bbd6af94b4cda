/** A server that the tests, the benchmarks or a person run privately: its ports and its data are its own. */
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { Child, type ChildOptions } from "../child.ts";

/** One running server. */
export interface Service {
  /** What it is, for people: `rabbitmq`, `nats-1`. */
  readonly name: string;
  /** Where clients reach it; the same after a restart. */
  readonly url: string;
  /** Process id of the server itself, another one after a restart. */
  readonly pid: number;
  /** Ends it in order; what it keeps on disk stays. Again is the same as once. */
  stop(): Promise<void>;
  /** Ends it as a crash does, without a chance to write anything. */
  kill(): Promise<void>;
  /** Starts it again on its ports and its data, after `stop` or `kill` (or stops it first); resolves when it is ready. */
  restart(): Promise<void>;
}

/** A free port of 127.0.0.1. Another program may take it before the server does: that is then a failure to start. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", reject);
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
  return promise;
}

/** So many different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

const SETPRIV = "/usr/bin/setpriv";

/**
 * Runs a server that ends with this process, whatever ends this process: a test that is killed leaves nothing behind.
 * The process id stays that of the server, as setpriv replaces itself by it. Without setpriv (it is part of Linux's
 * util-linux) only an ordinary exit is covered.
 */
export function tiedChild(program: string, args: readonly string[], options: ChildOptions = {}): Child {
  if (!existsSync(SETPRIV)) return new Child(program, args, options);
  return new Child(SETPRIV, ["--pdeathsig", "KILL", "--", program, ...args], options);
}

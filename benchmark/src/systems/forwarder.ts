/** The program to compare with: forwards on libzmq and does nothing else; in C where possible. */
import { Child } from "../../../scripts/child.ts";
import type { Tools } from "../tools.ts";
import { answering } from "./answering.ts";
import { freePorts } from "./ports.ts";
import type { System } from "./system.ts";

const fallback = new URL("../load/forwarder-program.ts", import.meta.url).pathname;

export async function startForwarder(tools: Tools | undefined): Promise<System> {
  const base = await freePorts();
  const child =
    tools === undefined
      ? new Child(process.execPath, [fallback, String(base)])
      : new Child(tools.forwarder, [String(base)]);
  await answering(child, base);
  return { name: tools === undefined ? "npm zeromq forwarder" : "C forwarder", managePort: base, child };
}

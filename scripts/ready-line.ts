/** Reads the addresses out of the line by which the bus says that it is ready. */
import type { Child } from "./child.ts";

/** Ports of the zmq plugin. */
export interface BusPorts {
  readonly manage: number;
  readonly pub: number;
  readonly sub: number;
}

/**
 * The ports that a bus has said it is bound to.
 *
 * @throws Error when it has not, or not in the form `manage ...:PORT`, `pub ...:PORT`, `sub ...:PORT`.
 */
export function readyPorts(bus: Child): BusPorts {
  const line = bus.lines.find((text) => /\bready\b/i.test(text)) ?? "";
  return { manage: port(line, "manage"), pub: port(line, "pub"), sub: port(line, "sub") };
}

function port(line: string, socket: string): number {
  const found = new RegExp(String.raw`\b${socket}\b.*?:(\d{2,5})\b`).exec(line)?.[1];
  if (found === undefined) throw new Error(`the ready line names no address for "${socket}": ${line}`);
  return Number(found);
}

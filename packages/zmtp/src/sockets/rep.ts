import type { Address } from "../address.ts";
import type { Peer } from "../events.ts";
import type { SocketOptions } from "../options.ts";

const pending = () => new Error("not written yet");

/** Answers a request (its frames) with one frame. */
export type RequestHandler = (request: readonly Buffer[], peer: Peer) => Promise<Uint8Array> | Uint8Array;

/** Answers requests. */
export class Rep {
  readonly options: SocketOptions;
  constructor(options: SocketOptions = {}) {
    this.options = options;
  }
  bind(_address: Address): Promise<Address> {
    throw pending();
  }
  serve(_handler: RequestHandler): void {
    throw pending();
  }
  close(): Promise<void> {
    throw pending();
  }
}

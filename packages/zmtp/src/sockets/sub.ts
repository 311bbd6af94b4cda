import type { Address } from "../address.ts";
import type { Peer } from "../events.ts";
import type { SocketOptions } from "../options.ts";

const pending = () => new Error("not written yet");

/** All messages of one peer that one read brought, in order; a message is its frames. */
export interface Batch {
  readonly peer: Peer;
  readonly messages: readonly (readonly Buffer[])[];
}

/** Receives from publishers. */
export class Sub {
  readonly options: SocketOptions;
  constructor(options: SocketOptions = {}) {
    this.options = options;
  }
  bind(_address: Address): Promise<Address> {
    throw pending();
  }
  connect(_address: Address): void {
    throw pending();
  }
  subscribe(_prefix: string): void {
    throw pending();
  }
  unsubscribe(_prefix: string): void {
    throw pending();
  }
  receive(_signal?: AbortSignal): Promise<Batch | undefined> {
    throw pending();
  }
  close(): Promise<void> {
    throw pending();
  }
}

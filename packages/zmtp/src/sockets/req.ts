import type { Address } from "../address.ts";
import type { SocketOptions } from "../options.ts";

const pending = () => new Error("not written yet");

export interface RequestOptions {
  /** Milliseconds; default 10,000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** Asks one server, one request after another. */
export class Req {
  readonly options: SocketOptions;
  constructor(options: SocketOptions = {}) {
    this.options = options;
  }
  connect(_address: Address): void {
    throw pending();
  }
  request(_body: Uint8Array, _options: RequestOptions = {}): Promise<Buffer> {
    throw pending();
  }
  close(): Promise<void> {
    throw pending();
  }
}

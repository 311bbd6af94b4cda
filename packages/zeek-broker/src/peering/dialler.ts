import type { Socket } from "node:net";
import { type Address, formatAddress } from "../address.ts";
import { Backoff } from "../backoff.ts";
import { dial, type TlsOption } from "./tls.ts";

/** Keeps one connection to an address, for ever. */
export class Dialler {
  readonly remote: string;
  readonly #address: Address;
  readonly #tls: TlsOption;
  readonly #onSocket: (socket: Socket) => void;
  readonly #backoff = new Backoff(() => this.start());
  #isStopped = false;

  /** `onSocket` gets each socket before it is connected, and calls lost() when that one is over. */
  constructor(address: Address, tls: TlsOption, onSocket: (socket: Socket) => void) {
    this.remote = formatAddress(address);
    this.#address = address;
    this.#tls = tls;
    this.#onSocket = onSocket;
  }

  start(): void {
    this.#onSocket(dial(this.#address, this.#tls));
  }

  /** A peering has come about. */
  succeeded(): void {
    this.#backoff.succeeded();
  }

  /** The connection is gone. Gives the milliseconds to the next attempt, undefined after stop(). */
  lost(): number | undefined {
    return this.#isStopped ? undefined : this.#backoff.again();
  }

  stop(): void {
    this.#isStopped = true;
    this.#backoff.stop();
  }
}

import { connect, type Socket } from "node:net";
import type { Address } from "../address.ts";

/** Milliseconds of silence after which the kernel looks whether the peer is still there. */
export const KEEP_ALIVE_DELAY = 60_000;
const FIRST_DELAY = 100;
const MAX_DELAY = 10_000;

/** Milliseconds to wait before attempt number `attempt` (0 is the first repetition); `random` is from 0 to 1. */
export function backoff(attempt: number, random: number): number {
  const most = Math.min(MAX_DELAY, FIRST_DELAY * 2 ** Math.min(attempt, 10));
  return Math.round(most / 2 + (most / 2) * random);
}

/** Keeps one connection to an address, for ever. */
export class Connector {
  readonly #address: Address;
  readonly #onSocket: (socket: Socket) => void;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;

  /** `onSocket` gets each socket before it is connected, and calls `lost` when that one is closed. */
  constructor(address: Address, onSocket: (socket: Socket) => void) {
    this.#address = address;
    this.#onSocket = onSocket;
  }

  start(): void {
    const socket = connect({
      ...this.#address,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY,
    });
    this.#onSocket(socket);
  }

  /** The connection is gone; another attempt comes. Returns in how many milliseconds, or undefined after stop(). */
  lost(wasReady: boolean): number | undefined {
    if (this.#stopped) return undefined;
    this.#failures = wasReady ? 0 : this.#failures + 1;
    const delay = backoff(Math.max(0, this.#failures - 1), Math.random());
    this.#timer = setTimeout(() => this.start(), delay);
    return delay;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}

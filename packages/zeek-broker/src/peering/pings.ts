import { BrokerError } from "../errors.ts";

/** Begins the payload of a ping that says its sender leaves. */
const BYE = Buffer.from("BYE");
const NUMBER_SIZE = 8;

/** Called with undefined at the pong, with an error when the peer is gone before. */
type Callback = (error?: Error) => void;

/** The pings to one peer that wait for their pong. */
export class Pings {
  readonly #send: (payload: Buffer) => void;
  readonly #waiting = new Map<string, Callback>();
  #count = 0n;

  constructor(send: (payload: Buffer) => void) {
    this.#send = send;
  }

  ping(callback: Callback): void {
    this.#start(Buffer.alloc(0), callback);
  }

  /** A ping that says goodbye. */
  bye(callback: Callback): void {
    this.#start(BYE, callback);
  }

  /** A ping that must be answered within `timeout` milliseconds. */
  pingWithin(timeout: number, onLate: () => void): void {
    const timer = setTimeout(onLate, timeout);
    this.ping(() => clearTimeout(timer));
  }

  /** Pongs that answer nothing are passed over. */
  onPong(payload: Uint8Array): void {
    if (payload.length > BYE.length + NUMBER_SIZE) return;
    const key = Buffer.from(payload).toString("hex");
    const callback = this.#waiting.get(key);
    this.#waiting.delete(key);
    callback?.();
  }

  /** No pong will come any more. */
  end(): void {
    const callbacks = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const callback of callbacks) callback(new BrokerError("PEER_GONE", "the peer was gone before it answered"));
  }

  #start(prefix: Buffer, callback: Callback): void {
    this.#count += 1n;
    const number = Buffer.alloc(NUMBER_SIZE);
    number.writeBigUInt64BE(this.#count);
    const payload = Buffer.concat([prefix, number]);
    this.#waiting.set(payload.toString("hex"), callback);
    this.#send(payload);
  }
}

/** Does the sender of a ping say that it leaves? */
export function isBye(payload: Uint8Array): boolean {
  return BYE.equals(payload.subarray(0, BYE.length));
}

import { protocol, refusal } from "./violation.ts";

/**
 * The greeting (ZMTP 3.1, "The Greeting"), 64 bytes:
 * signature FF 00*7 01 7F, then major, minor, mechanism name padded with zero to 20 bytes, as-server, 31 zero bytes.
 */
export const GREETING_SIZE = 64;
const SIGNATURE_FIRST = 0xff;
const SIGNATURE_LAST = 0x7f;
const SIGNATURE_LAST_AT = 9;
const MAJOR_AT = 10;
const MINOR_AT = 11;
const MECHANISM_AT = 12;
const AS_SERVER_AT = 32;
const MAJOR = 3;
const MINOR = 1;

export interface Greeting {
  readonly minor: number;
  readonly mechanism: string;
  readonly asServer: boolean;
}

/** Our greeting: version 3.1. */
export function encodeGreeting(mechanism: string, asServer: boolean): Buffer {
  const bytes = Buffer.alloc(GREETING_SIZE);
  bytes[0] = SIGNATURE_FIRST;
  bytes[SIGNATURE_LAST_AT - 1] = 1;
  bytes[SIGNATURE_LAST_AT] = SIGNATURE_LAST;
  bytes[MAJOR_AT] = MAJOR;
  bytes[MINOR_AT] = MINOR;
  bytes.write(mechanism, MECHANISM_AT, AS_SERVER_AT - MECHANISM_AT, "latin1");
  bytes[AS_SERVER_AT] = asServer ? 1 : 0;
  return bytes;
}

/** Collects a greeting that arrives in any pieces, and gives up at the first byte that cannot be one. */
export class GreetingReader {
  readonly #bytes = Buffer.allocUnsafeSlow(GREETING_SIZE);
  #length = 0;

  /** The greeting, once it is whole. */
  greeting: Greeting | undefined;

  /** Takes what belongs to the greeting and returns how many bytes that was. Throws a Violation. */
  push(chunk: Uint8Array): number {
    const taken = Math.min(GREETING_SIZE - this.#length, chunk.length);
    this.#bytes.set(chunk.subarray(0, taken), this.#length);
    this.#length += taken;
    this.#check();
    if (this.#length === GREETING_SIZE) this.greeting = this.#decode();
    return taken;
  }

  #check(): void {
    const has = (offset: number) => this.#length > offset;
    if (has(0) && this.#bytes[0] !== SIGNATURE_FIRST) throw protocol("bad-greeting");
    if (has(SIGNATURE_LAST_AT) && this.#bytes[SIGNATURE_LAST_AT] !== SIGNATURE_LAST) throw protocol("bad-greeting");
    if (has(MAJOR_AT) && this.#bytes.readUInt8(MAJOR_AT) < MAJOR) throw refusal("version");
  }

  #decode(): Greeting {
    const name = this.#bytes.toString("latin1", MECHANISM_AT, AS_SERVER_AT);
    const padding = name.indexOf("\0");
    return {
      minor: this.#bytes.readUInt8(MAJOR_AT) > MAJOR ? MINOR : this.#bytes.readUInt8(MINOR_AT),
      mechanism: padding < 0 ? name : name.slice(0, padding),
      asServer: this.#bytes[AS_SERVER_AT] === 1,
    };
  }
}

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Address, SocketEvent } from "../src/index.ts";
import { encodeCommand } from "../src/wire/command.ts";
import { encodeFrame, FLAG_COMMAND } from "../src/wire/frame.ts";
import { encodeGreeting, GREETING_SIZE } from "../src/wire/greeting.ts";
import { encodeMetadata } from "../src/wire/metadata.ts";

export const LOOPBACK: Address = { host: "127.0.0.1", port: 0 };

/** Resolves when `condition` holds. The runner's timeout ends a test whose condition never does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn();
}

/** Has a socket closed when the test is over. */
export function closing<T extends { close(): Promise<void> }>(t: TestContext, socket: T): T {
  t.after(() => socket.close());
  return socket;
}

/** Collects the events of a socket. */
export function recorder(): {
  events: SocketEvent[];
  onEvent: (event: SocketEvent) => void;
  has(text: string): boolean;
} {
  const events: SocketEvent[] = [];
  return {
    events,
    onEvent: (event) => events.push(event),
    /** Was there an event "type:reason"? */
    has: (text) => events.some((event) => `${event.type}:${event.reason}` === text),
  };
}

/** Frame of a command. */
export function command(name: string, data: Uint8Array = Buffer.alloc(0)): Buffer {
  return encodeFrame(FLAG_COMMAND, encodeCommand(name, data));
}

export function ready(socketType: string): Buffer {
  return command("READY", encodeMetadata({ "Socket-Type": socketType }));
}

/** A peer made of bytes, which may be wrong. */
export class RawPeer {
  received: Buffer = Buffer.alloc(0);
  closed = false;
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
    });
  }

  static async connect(t: TestContext, address: Address): Promise<RawPeer> {
    const socket = connect({ ...address, noDelay: true });
    t.after(() => socket.destroy());
    const peer = new RawPeer(socket);
    await once(socket, "connect");
    return peer;
  }

  /** A peer that has completed the handshake. */
  static async ready(t: TestContext, address: Address, socketType: string, minor = 1): Promise<RawPeer> {
    const peer = await RawPeer.connect(t, address);
    const greeting = encodeGreeting("NULL", false);
    greeting[11] = minor;
    peer.send(greeting, ready(socketType));
    await until(() => peer.received.length > GREETING_SIZE && peer.text.includes("Socket-Type"));
    peer.received = Buffer.alloc(0);
    return peer;
  }

  get text(): string {
    return this.received.toString("latin1");
  }

  send(...parts: Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }
}

/** Bytes written in hex with spaces and "text" in quotes, as specifications print them. */
export function bytes(notation: string): Buffer {
  const parts: Buffer[] = [];
  for (const [, text, hex] of notation.matchAll(/"([^"]*)"|([0-9A-Fa-f]+)/g)) {
    parts.push(text === undefined ? Buffer.from(hex ?? "", "hex") : Buffer.from(text, "latin1"));
  }
  assert.ok(parts.length > 0);
  return Buffer.concat(parts);
}

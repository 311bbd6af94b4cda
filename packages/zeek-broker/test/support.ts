import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type Address,
  Endpoint,
  type EndpointOptions,
  type MutualTls,
  type Notice,
  Value,
  type ZeekEvent,
} from "../src/index.ts";

export const LOOPBACK: Address = { host: "127.0.0.1", port: 0 };
export const SMALL_ID = "00000000-0000-1000-8000-00000000000a";
export const LARGE_ID = "ffffffff-ffff-4fff-bfff-ffffffffffff";

/** Resolves when `condition` holds. The runner's timeout ends a test whose condition never does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn();
}

/** An event with one count, to tell messages apart. */
export function numbered(number: number): ZeekEvent {
  return { name: "Test::number", args: [Value.count(number)] };
}

/** The number in an event that numbered() made. */
export function numberOf(event: ZeekEvent): number {
  const [arg] = event.args;
  assert.ok(arg?.type === "count");
  return Number(arg.value);
}

/** A certificate of the folder certificates/. */
export function identity(name: string): MutualTls {
  const read = (file: string) => readFileSync(new URL(`certificates/${file}`, import.meta.url));
  return { cert: read(`${name}.pem`), key: read(`${name}.key`), ca: read("ca.pem") };
}

/** An endpoint that keeps what it hears, closed when the test is over. */
export class Station {
  readonly endpoint: Endpoint;
  readonly events: { readonly topic: string; readonly event: ZeekEvent }[] = [];
  readonly notices: Notice[] = [];

  constructor(t: TestContext, options: EndpointOptions = {}) {
    this.endpoint = new Endpoint({
      onEvent: (_, topic, event) => this.events.push({ topic, event }),
      onNotice: (notice) => this.notices.push(notice),
      farewellTimeout: 500,
      ...options,
    });
    t.after(() => this.endpoint.close());
  }

  /** Was there a notice of this type and, where it has one, this reason or kind? */
  has(type: Notice["type"], reason?: string): boolean {
    return this.count(type, reason) > 0;
  }

  count(type: Notice["type"], reason?: string): number {
    return this.notices.filter((notice) => {
      const detail = "reason" in notice ? notice.reason : "kind" in notice ? notice.kind : undefined;
      return notice.type === type && (reason === undefined || detail === reason);
    }).length;
  }

  /** The first peer, as soon as there is one. */
  async peer() {
    await until(() => this.endpoint.peers.length > 0);
    const [peer] = this.endpoint.peers;
    assert.ok(peer !== undefined);
    return peer;
  }
}

/** A peer made of bytes, which may be wrong. */
export class RawPeer {
  received: Buffer = Buffer.alloc(0);
  isClosed = false;
  readonly socket: Socket;

  constructor(t: TestContext, socket: Socket) {
    this.socket = socket;
    t.after(() => socket.destroy());
    socket.on("data", (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isClosed = true;
    });
  }

  static async connect(t: TestContext, address: Address): Promise<RawPeer> {
    const socket = connect({ ...address, noDelay: true });
    const peer = new RawPeer(t, socket);
    await once(socket, "connect");
    return peer;
  }

  /** A server whose first connection is such a peer. */
  static async listen(t: TestContext): Promise<{ address: Address; accepted: Promise<RawPeer> }> {
    const server = createServer({ noDelay: true });
    t.after(() => server.close());
    const accepted = new Promise<RawPeer>((resolve) => {
      server.once("connection", (socket) => resolve(new RawPeer(t, socket)));
    });
    server.listen(LOOPBACK);
    await once(server, "listening");
    const bound = server.address();
    assert.ok(bound !== null && typeof bound !== "string");
    return { address: { host: bound.address, port: bound.port }, accepted };
  }

  send(...frames: Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames.map(framed)));
  }
}

/** A frame with its length in front. */
export function framed(frame: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}

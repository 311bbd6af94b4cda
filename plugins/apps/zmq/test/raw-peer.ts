import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** ZMTP 3.1 greeting with mechanism NULL (zmtp.md, Connection). */
const GREETING = Buffer.alloc(64);
GREETING.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
GREETING.write("NULL", 12);
const FLAG_LONG = 2;
const FLAG_COMMAND = 4;

/** A frame of up to 255 bytes. */
function shortFrame(flags: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([flags, body.length]), body]);
}

function command(name: string, data: Buffer): Buffer {
  return shortFrame(FLAG_COMMAND, Buffer.concat([Buffer.from([name.length]), Buffer.from(name), data]));
}

/** READY with the type of the socket. */
function ready(socketType: string): Buffer {
  const value = Buffer.concat([Buffer.from([0, 0, 0, socketType.length]), Buffer.from(socketType)]);
  return command("READY", Buffer.concat([Buffer.from([11]), Buffer.from("Socket-Type"), value]));
}

/** A subscription to `prefix`. */
export function subscribeCommand(prefix: string): Buffer {
  return command("SUBSCRIBE", Buffer.from(prefix));
}

/** The beginning of a message of `size` bytes: its header and `body`. */
export function beginMessage(size: number, body: string): Buffer {
  const header = Buffer.alloc(9);
  header[0] = FLAG_LONG;
  header.writeBigUInt64BE(BigInt(size), 1);
  return Buffer.concat([header, Buffer.from(body)]);
}

/** A peer that speaks bytes, for what a proper one never does. */
export async function rawPeer(t: TestContext, port: number, socketType?: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await new Promise((resolve) => socket.once("connect", resolve));
  if (socketType !== undefined) socket.write(Buffer.concat([GREETING, ready(socketType)]));
  return socket;
}

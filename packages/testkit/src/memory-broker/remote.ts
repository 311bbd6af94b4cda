/** A memory broker for buses in other processes: one JSON object per line, over TCP. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { BrokerLink, MemoryBroker } from "./broker.ts";
import { ConnectionLost } from "./broker.ts";
import type { WireMessage } from "./wire.ts";

/** A message with its bytes in base64. */
type LineMessage = Omit<WireMessage, "bytes"> & { readonly bytes: string };

type Call =
  | { readonly kind: "bind"; readonly instance: string }
  | { readonly kind: "publish"; readonly messages: readonly LineMessage[] }
  | { readonly kind: "next"; readonly instance: string; readonly max: number }
  | { readonly kind: "acknowledge"; readonly instance: string; readonly count: number };

interface Answer {
  readonly id: number;
  readonly messages?: readonly LineMessage[];
  readonly error?: string;
}

export interface ServedBroker {
  readonly port: number;
  close(): Promise<void>;
}

function toLine(message: WireMessage): LineMessage {
  return { ...message, bytes: message.bytes.toString("base64") };
}

function fromLine(message: LineMessage): WireMessage {
  return { ...message, bytes: Buffer.from(message.bytes, "base64") };
}

/** A process that was killed resets its connection: that it is closed says enough. */
function linesOf(socket: Socket, onLine: (line: string) => void): void {
  const ignore = (): void => undefined;
  socket.on("error", ignore);
  createInterface({ input: socket }).on("line", onLine).on("error", ignore);
}

/** Lets buses in other processes use a broker of this one. */
export async function serveBroker(broker: MemoryBroker): Promise<ServedBroker> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serve(broker, socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  };
  return { port: (server.address() as AddressInfo).port, close };
}

function serve(broker: MemoryBroker, socket: Socket): void {
  const over = new AbortController();
  let bound: string | undefined;
  socket.once("close", () => {
    over.abort();
    if (bound !== undefined) broker.release(bound);
  });
  linesOf(socket, (line) => {
    const { id, ...call } = JSON.parse(line) as Call & { readonly id: number };
    if (call.kind === "bind") bound = call.instance;
    perform(broker, call, over.signal).then(
      (messages) => socket.write(`${JSON.stringify({ id, messages: messages?.map(toLine) })}\n`),
      (error: unknown) => socket.writable && socket.write(`${JSON.stringify({ id, error: String(error) })}\n`),
    );
  });
}

async function perform(
  broker: MemoryBroker,
  call: Call,
  signal: AbortSignal,
): Promise<readonly WireMessage[] | undefined> {
  switch (call.kind) {
    case "bind":
      await broker.bind(call.instance);
      return undefined;
    case "publish":
      await broker.publish(call.messages.map(fromLine), signal);
      return undefined;
    case "next":
      return broker.next(call.instance, call.max, signal);
    case "acknowledge":
      await broker.acknowledge(call.instance, call.count);
      return undefined;
  }
}

/** The broker of another process. One whose connection is lost stays so. */
export class RemoteBroker implements BrokerLink {
  readonly #socket: Socket;
  readonly #pending = new Map<number, PromiseWithResolvers<Answer>>();
  #next = 0;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.once("close", () => {
      for (const { reject } of this.#pending.values()) reject(new Error("the broker's process is gone"));
    });
    linesOf(this.#socket, (line) => {
      const answer = JSON.parse(line) as Answer;
      this.#pending.get(answer.id)?.resolve(answer);
      this.#pending.delete(answer.id);
    });
  }

  get isUp(): boolean {
    return this.#socket.readyState === "open";
  }

  async bind(instance: string): Promise<void> {
    await this.#call({ kind: "bind", instance });
  }

  async publish(messages: readonly WireMessage[], signal: AbortSignal): Promise<void> {
    await this.#call({ kind: "publish", messages: messages.map(toLine) }, signal);
  }

  async next(instance: string, max: number, signal: AbortSignal): Promise<readonly WireMessage[]> {
    const { messages = [] } = await this.#call({ kind: "next", instance, max }, signal);
    return messages.map(fromLine);
  }

  async acknowledge(instance: string, count: number): Promise<void> {
    await this.#call({ kind: "acknowledge", instance, count });
  }

  end(): void {
    this.#socket.destroy();
  }

  async #call(call: Call, signal?: AbortSignal): Promise<Answer> {
    const id = this.#next++;
    const pending = Promise.withResolvers<Answer>();
    this.#pending.set(id, pending);
    const abort = (): void => pending.reject(signal?.reason);
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { once: true });
    this.#socket.write(`${JSON.stringify({ id, ...call })}\n`);
    try {
      const answer = await pending.promise;
      if (answer.error !== undefined)
        throw answer.error.startsWith("ConnectionLost") ? new ConnectionLost() : new Error(answer.error);
      return answer;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }
}

import { readFile } from "node:fs/promises";
import { messageOf } from "@threatbus/core";
import type { TlsOption, WebSocketTls } from "@threatbus/zeek-broker";
import type { WebSocketOptions, ZeekOptions } from "./options.ts";

/** What the Broker endpoint speaks. @throws Error that names the setting of a file that cannot be read */
export async function brokerTls({ tls }: ZeekOptions): Promise<TlsOption> {
  if (typeof tls === "string") return tls;
  const read = (name: "cert" | "key" | "ca") => readPem(tls[name], `plugins.apps.zeek.tls.${name}`);
  const [cert, key, ca] = await Promise.all([read("cert"), read("key"), read("ca")]);
  return { cert, key, ca };
}

/** Certificates for one WebSocket server. @throws as brokerTls */
export async function webSocketTls(server: WebSocketOptions, index: number): Promise<WebSocketTls> {
  const read = async (name: "cert" | "key" | "ca") => {
    const file = server[name];
    if (file === undefined) return {};
    return { [name]: await readPem(file, `plugins.apps.zeek.websocket.${index}.${name}`) };
  };
  return Object.assign({}, await read("cert"), await read("key"), await read("ca"));
}

async function readPem(file: string, setting: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new Error(`${setting} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

import { createServer, type Server, type Socket } from "node:net";
import type { Address } from "../address.ts";
import { KEEP_ALIVE_DELAY } from "./connector.ts";

/** Accepts TCP connections at one address. */
export class Listener {
  readonly #server: Server;
  readonly #onError: (error: NodeJS.ErrnoException) => void;

  /** `onError` hears of connections that could not be accepted, because there are no file descriptors left for example. */
  constructor(onSocket: (socket: Socket) => void, onError: (error: NodeJS.ErrnoException) => void) {
    this.#onError = onError;
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY }, onSocket);
  }

  /** Resolves with the address really bound; rejects with the error of the operating system. */
  async listen(address: Address): Promise<Address> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: address.host, port: address.port }, () => {
        this.#server.off("error", reject);
        this.#server.on("error", this.#onError);
        resolve();
      });
    });
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") throw new Error(`no TCP address after binding to ${address.host}`);
    return { host: bound.address, port: bound.port };
  }

  /** Accepts no more; connections are not touched. */
  stop(): void {
    this.#server.close();
  }
}

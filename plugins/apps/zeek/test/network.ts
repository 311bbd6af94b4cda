import { connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { Address } from "@threatbus/zeek-broker";

/** A stretch of network between a Zeek and the plugin that a test can break. */
export class Network {
  readonly #server: Server;
  readonly #pairs: { readonly near: Socket; readonly far: Socket }[] = [];

  private constructor(target: Address) {
    this.#server = createServer((near) => {
      const far = connect(target);
      for (const socket of [near, far]) socket.on("error", () => {});
      near.pipe(far);
      far.pipe(near);
      this.#pairs.push({ near, far });
    });
  }

  static async start(t: TestContext, target: Address): Promise<Network> {
    const network = new Network(target);
    await new Promise<void>((resolve) => network.#server.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      network.#server.close();
      for (const { near, far } of network.#pairs) {
        near.destroy();
        far.destroy();
      }
    });
    return network;
  }

  get address(): Address {
    const bound = this.#server.address();
    return { host: "127.0.0.1", port: typeof bound === "object" ? (bound?.port ?? 0) : 0 };
  }

  /** Zeek sees its connections close, the plugin sees nothing: as when a firewall forgets them. */
  loseZeek(): void {
    for (const { near, far } of this.#pairs) {
      far.unpipe();
      near.unpipe();
      far.resume();
      near.destroy();
    }
  }

  /** Nothing passes any more, and nobody is told. */
  freeze(): void {
    for (const { near, far } of this.#pairs) {
      far.unpipe();
      near.unpipe();
    }
  }

  /** Bytes into the stream from Zeek. */
  inject(bytes: Buffer): void {
    for (const { far } of this.#pairs) far.write(bytes);
  }
}

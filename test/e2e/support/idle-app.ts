/** A subscriber that reads nothing until it is told to. */
import type { TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Sub } from "@threatbus/zmtp";
import { eventually } from "../../interop/support/wait.ts";
import { manage } from "../../interop/support/zmq.ts";
import { type Bus, records } from "./bus.ts";

export class IdleApp {
  readonly #sub: Sub;
  readonly #gone: Promise<void>;

  private constructor(sub: Sub, gone: Promise<void>) {
    this.#sub = sub;
    this.#gone = gone;
  }

  /** Subscribes to everything as "never-reads", and waits until the bus knows the connection. */
  static async subscribe(t: TestContext, bus: Bus): Promise<IdleApp> {
    const name = "never-reads";
    const { topic = "", pub_port: port = 0 } = await manage(bus.ports.manage, {
      action: "subscribe",
      topic: "stix2",
      name,
    });
    const gone = Promise.withResolvers<void>();
    const connected = Promise.withResolvers<void>();
    const sub = new Sub({
      onEvent: ({ type }) => {
        if (type === "connected") connected.resolve();
        if (type === "disconnected") gone.resolve();
      },
    });
    t.after(() => sub.close());
    sub.subscribe(topic);
    sub.connect({ host: "127.0.0.1", port });
    await connected.promise;
    await eventually("the bus to log the subscription", () =>
      records(bus.child).find(({ subscription }) => String(subscription).startsWith(`${name}/`)),
    );
    return new IdleApp(sub, gone.promise);
  }

  /** The number of complete messages that still come, up to the end of the connection. */
  async readAll(): Promise<number> {
    let count = 0;
    // What came last is still to be taken when the connection is gone, and close() would throw it away.
    const end = this.#gone.then(setImmediate).then(() => this.#sub.close());
    for (;;) {
      const batch = await this.#sub.receive();
      if (batch === undefined) break;
      count += batch.messages.length;
    }
    await end;
    return count;
  }
}

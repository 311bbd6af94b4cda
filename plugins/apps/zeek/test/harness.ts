import type { TestContext } from "node:test";
import type { Address } from "@threatbus/zeek-broker";
import { FakeZeek, type FakeZeekOptions } from "../src/fake-zeek.ts";
import { ZeekPlugin } from "../src/plugin.ts";
import { type BusOptions, FakeBus } from "./bus.ts";

/** A running plugin on a stand-in for the bus. */
export class Harness {
  readonly plugin = new ZeekPlugin();
  readonly bus: FakeBus;
  address = { host: "127.0.0.1", port: 0 };

  constructor(options: BusOptions) {
    this.bus = new FakeBus(options);
  }

  async start(): Promise<void> {
    const [bound] = await this.plugin.run(this.bus.context);
    this.address = { host: "127.0.0.1", port: Number(new URL(bound?.url ?? "").port) };
  }

  async stop(): Promise<void> {
    await this.plugin.stopIntake();
    this.bus.gone.abort();
    await this.plugin.stop();
  }

  /** A fake Zeek that peers with the plugin, or with what stands at `at` before it. */
  zeek(t: TestContext, { at, ...options }: FakeZeekOptions & { readonly at?: Address } = {}): FakeZeek {
    const zeek = new FakeZeek(options);
    t.after(() => zeek.close());
    zeek.connect(at ?? this.address);
    return zeek;
  }
}

/** A plugin on a free port, stopped when the test ends. */
export async function startPlugin(t: TestContext, options: BusOptions = {}): Promise<Harness> {
  const harness = new Harness(options);
  await harness.start();
  t.after(() => harness.stop());
  return harness;
}

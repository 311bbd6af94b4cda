/** P9: one instance over a broker, end to end, beside what the broker's client library does by itself. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bench, type Benchmark, lossBar, type Result } from "../benchmark.ts";
import type { RawLoad } from "../load/raw-brokers.ts";
import { rawNats, rawRabbitmq } from "../load/raw-brokers.ts";
import { median, sum } from "../statistics.ts";
import { type Broker, startBroker } from "../systems/broker.ts";
import { using } from "./compare.ts";

const RAW: Readonly<Record<Broker["kind"], RawLoad>> = { rabbitmq: rawRabbitmq, nats: rawNats };

async function measure(bench: Bench, broker: Broker, folder: string): Promise<Result> {
  const messages = bench.quick ? 5_000 : 100_000;
  const raw: number[] = [];
  const rounds = [];
  for (let round = 1; round <= (bench.quick ? 1 : 3); round += 1) {
    raw.push(await RAW[broker.kind](broker.url, messages));
    const result = await using(
      () => bench.threatBus({ store: { path: join(folder, `${round}.db`) }, backbones: broker.backbones }),
      (bus) => bench.load.apply(bus, { messages, subscribers: 1 }),
    );
    bench.say(`round ${round}: raw ${Math.round(raw.at(-1) ?? 0)} msg/s, bus ${result.msgs_per_s} msg/s`);
    rounds.push(result);
  }
  const rates = rounds.map((round) => round.msgs_per_s);
  return {
    bars: [
      { what: "of the client library's rate", value: median(rates) / median(raw), unit: "", limit: 0.5, kind: "at least" },
      lossBar(sum(rounds.map((round) => round.lost))),
    ],
    figures: [
      { what: "Threat Bus", value: median(rates), unit: "msg/s" },
      { what: "the client library by itself", value: median(raw), unit: "msg/s" },
    ],
  };
}

const overBroker = (kind: Broker["kind"]) => async (bench: Bench): Promise<Result> => {
  const folder = await mkdtemp(join(tmpdir(), "threatbus-bench-"));
  const broker = await startBroker(kind, folder, bench.say);
  try {
    return await measure(bench, broker, folder);
  } finally {
    await broker.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

export const p9Rabbitmq: Benchmark = { id: "P9-RABBITMQ", title: "over RabbitMQ, log on", run: overBroker("rabbitmq") };
export const p9Nats: Benchmark = { id: "P9-NATS", title: "over NATS JetStream, log on", run: overBroker("nats") };

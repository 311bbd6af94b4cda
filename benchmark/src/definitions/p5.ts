/** P5: ten subscribers, one of which stops reading. What that does to the others and to memory, and what it gets later. */
import { type Bar, type Bench, type Benchmark, type Figure, lossBar, type Result } from "../benchmark.ts";
import type { LoadResult } from "../load/load.ts";
import { type CaughtUp, StalledSubscriber } from "../load/stalled.ts";
import { watchMemory } from "../process-statistics.ts";
import { median, sum } from "../statistics.ts";
import { withLogFile } from "../systems/log-file.ts";
import type { System } from "../systems/system.ts";
import { using } from "./compare.ts";

interface Round {
  readonly load: LoadResult;
  /** Highest resident memory of the bus, in MiB. */
  readonly memory: number;
}

interface StalledRound extends Round {
  /** What the stuck one got when it read again; undefined: it did not. */
  readonly caughtUp: CaughtUp | undefined;
}

interface Rounds {
  readonly reading: readonly Round[];
  readonly stalled: readonly StalledRound[];
}

async function readingRound(bench: Bench, bus: System, messages: number): Promise<Round> {
  const apply = () => bench.load.apply(bus, { messages, subscribers: 10 });
  const { result: load, memory } = await watchMemory(bus.child.pid, apply);
  return { load, memory: memory.highest };
}

async function stalledRound(bench: Bench, bus: System, messages: number, isLogged: boolean): Promise<StalledRound> {
  const stuck = await StalledSubscriber.start(bus.managePort);
  try {
    const { result, memory } = await watchMemory(bus.child.pid, async () => {
      const load = await bench.load.apply(bus, { messages, subscribers: 9 });
      return { load, caughtUp: isLogged ? await stuck.catchUp(messages) : undefined };
    });
    return { ...result, memory: memory.highest };
  } finally {
    await stuck.end();
  }
}

/** All ten read, then nine read and one does not; in turn, `rounds` times. */
async function measure(bench: Bench, bus: System, isLogged: boolean): Promise<Rounds> {
  const messages = bench.quick ? 30_000 : 300_000;
  const reading: Round[] = [];
  const stalled: StalledRound[] = [];
  await bench.load.apply(bus, { messages, subscribers: 10 });
  for (let i = 1; i <= (bench.quick ? 1 : 5); i++) {
    reading.push(await readingRound(bench, bus, messages));
    stalled.push(await stalledRound(bench, bus, messages, isLogged));
    const [all, others] = [reading.at(-1)?.load.msgs_per_s, stalled.at(-1)?.load.msgs_per_s];
    bench.say(`round ${i}: all ten reading ${all} msg/s each, the nine beside the stuck one ${others} msg/s each`);
  }
  return { reading, stalled };
}

function result({ reading, stalled }: Rounds): Result {
  const before = median(reading.map(({ load }) => load.msgs_per_s));
  const beside = median(stalled.map(({ load }) => load.msgs_per_s));
  const memoryBefore = Math.max(...reading.map(({ memory }) => memory));
  const memoryBeside = Math.max(...stalled.map(({ memory }) => memory));
  const fall = (1 - beside / before) * 100;
  const later = caughtUpResult(stalled);
  return {
    bars: [
      { what: "the others' throughput falls by", value: fall, unit: "%", limit: 10, kind: "at most" },
      {
        what: "resident memory grows by",
        value: memoryBeside - memoryBefore,
        unit: "MiB",
        limit: 64,
        kind: "at most",
      },
      lossBar(sum([...reading, ...stalled].map(({ load }) => load.lost))),
      ...later.bars,
    ],
    figures: [
      { what: "each of ten, all reading", value: before, unit: "msg/s" },
      { what: "each of nine beside a stuck one", value: beside, unit: "msg/s" },
      { what: "highest memory, all reading", value: memoryBefore, unit: "MiB" },
      { what: "highest memory beside a stuck one", value: memoryBeside, unit: "MiB" },
      ...later.figures,
    ],
  };
}

/** What the stuck ones got when they read again. */
function caughtUpResult(rounds: readonly StalledRound[]): { bars: Bar[]; figures: Figure[] } {
  const caughtUp = rounds.flatMap((round) => round.caughtUp ?? []);
  if (caughtUp.length === 0) return { bars: [], figures: [] };
  const sent = sum(rounds.map(({ load }) => load.messages));
  const lost = sent - sum(caughtUp.map(({ inOrder }) => inOrder));
  const late = sum(caughtUp.map(({ outOfOrder }) => outOfOrder));
  const rate = median(caughtUp.map(({ inOrder, seconds }) => inOrder / seconds));
  return {
    bars: [
      { what: "messages that the stuck one misses", value: lost, unit: "", limit: 0, kind: "at most" },
      { what: "messages that it gets twice or out of order", value: late, unit: "", limit: 0, kind: "at most" },
    ],
    figures: [{ what: "the stuck one, reading again", value: rate, unit: "msg/s" }],
  };
}

const title = "10 subscribers, one stops reading";

export const p5: Benchmark = {
  id: "P5",
  title: `${title}, log off`,
  run: async (bench) =>
    result(
      await using(
        () => bench.threatBus({ store: false }),
        (bus) => measure(bench, bus, false),
      ),
    ),
};

export const p5Log: Benchmark = {
  id: "P5-LOG",
  title: `${title}, log on`,
  run: (bench) =>
    withLogFile(async (path) =>
      result(
        await using(
          () => bench.threatBus({ store: { path } }),
          (bus) => measure(bench, bus, true),
        ),
      ),
    ),
};

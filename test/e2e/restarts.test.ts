/**
 * Apps live on while their bus is stopped or killed, and started again, over and over: no publisher and no subscriber is stuck,
 * and what was accepted arrives. THREATBUS_RESTARTS sets how often (default 4).
 */
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/python/environments.ts";
import { folder } from "../interop/support/process.ts";
import { eventually } from "../interop/support/wait.ts";
import { startBus, stopCleanly } from "./support/bus.ts";
import { untilArrived } from "./support/cluster.ts";
import { Collector } from "./support/collector.ts";
import { Flow } from "./support/flow.ts";

const RESTARTS = Number(process.env.THREATBUS_RESTARTS ?? 4);
/** So many that some of them are in the middle of whatever they do at a restart. */
const PUBLISHERS = 20;
const SUBSCRIBERS = 3;
/** Milliseconds between two batches of a publisher. */
const PAUSE = 100;

test(`${RESTARTS} restarts of the bus: every app goes on, and what was accepted arrives`, {
  timeout: 120_000 + RESTARTS * 30_000,
}, async (t) => {
  const home = await folder(t);
  const settings = {
    folder: home,
    top: { store: { durability: "always" } },
    env: { NODE_COMPILE_CACHE: join(root, "build", "compile-cache") },
  };
  let bus = await startBus(t, settings);
  const flows = Array.from({ length: PUBLISHERS }, (_, index) => new Flow(t, bus, index + 1));
  const collectors = Array.from(
    { length: SUBSCRIBERS },
    (_, index) =>
      new Collector(t, `subscriber ${index}`, { from: "earliest", positionFile: join(home, `position-${index}`) }),
  );
  for (const collector of collectors) collector.open(bus);
  for (const flow of flows) {
    flow.pause = PAUSE;
    flow.begin();
  }
  const progress = async () => {
    const before = flows.map(({ confirmed }) => confirmed);
    for (const [index, flow] of flows.entries()) {
      const hasMore = () => (flow.confirmed > (before[index] ?? 0) ? true : undefined);
      await eventually(`publisher ${index + 1} to go on`, hasMore);
    }
  };
  await progress();
  for (let restart = 1; restart <= RESTARTS; restart += 1) {
    if (restart % 2 === 0) {
      bus.child.kill("SIGKILL");
      await bus.child.exited;
    } else await stopCleanly(bus);
    bus = await startBus(t, settings, bus.ports);
    await progress();
  }
  await Promise.all(flows.map((flow) => flow.end()));
  await untilArrived(collectors, flows);
  await stopCleanly(bus);
  for (const { numbers } of collectors) for (const flow of flows) flow.assertAll(numbers, "a subscriber");
});

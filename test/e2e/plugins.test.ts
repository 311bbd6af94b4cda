/** Plugins that fail, loaded from a file by the key `module`. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { root } from "../../scripts/python/environments.ts";
import { indicator } from "../interop/support/objects.ts";
import { folder } from "../interop/support/process.ts";
import { eventually } from "../interop/support/wait.ts";
import { type Bus, records, startBus, stopCleanly } from "./support/bus.ts";
import { app, nextText } from "./support/client.ts";

/** The file of an app plugin whose three steps do what the texts say. */
async function plugin(t: TestContext, steps: { run?: string; stopIntake?: string; stop?: string }): Promise<string> {
  const file = join(await folder(t), "plugin.mjs");
  const zod = JSON.stringify(createRequire(`${root}/packages/core/package.json`).resolve("zod"));
  await writeFile(
    file,
    `import { z } from ${zod};
    export default {
      kind: "app", name: "faulty", description: "Fails", configSchema: z.strictObject({}),
      create: () => ({
        async run(context) { ${steps.run ?? ""}; return []; },
        async stopIntake() { ${steps.stopIntake ?? ""} },
        async stop() { ${steps.stop ?? ""} },
      }),
    };\n`,
  );
  return file;
}

/** A `run` whose worker throws at its first start and waits at its second. */
const FRAGILE_WORKER = `
  const { StoppableWorker } = await import(${JSON.stringify(`${root}/packages/core/src/index.ts`)});
  class Fragile extends StoppableWorker {
    failed = false;
    async run(signal) {
      if (!this.failed) { this.failed = true; throw new Error("broken on purpose"); }
      context.logger.info({}, "the worker works");
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
  }
  const worker = new Fragile("fragile", context);
  context.signal.addEventListener("abort", () => worker.stop(), { once: true });
  worker.start();`;

test("a worker that throws is logged and started again, and the bus goes on", async (t) => {
  const module = await plugin(t, { run: FRAGILE_WORKER });
  const bus = await startBus(t, { apps: { faulty: { module } } });
  await assertWorks(t, bus);
  await eventually("the second start", () => records(bus.child).find(({ msg }) => msg === "the worker works"));
  const failures = records(bus.child).filter(({ worker }) => worker === "fragile");
  assert.deepEqual(
    failures.map(({ level, error }) => [level, error]),
    [["ERROR", "broken on purpose"]],
  );
  await stopCleanly(bus);
});

async function assertWorks(t: TestContext, bus: Bus): Promise<void> {
  const client = app(t, bus, "works");
  const subscription = client.subscribe("stix2");
  await subscription.ready();
  const object = indicator("198.51.100.8");
  await client.publish(object);
  assert.equal(await nextText(subscription), object);
}

test("a plugin that throws in run is named in the log, and the rest of the bus runs", async (t) => {
  const module = await plugin(t, { run: "throw new Error('broken on purpose')" });
  const bus = await startBus(t, { apps: { faulty: { module } } });
  await assertWorks(t, bus);
  assert.ok(
    bus.child.lines.some((line) => line.includes("faulty") && line.includes("broken on purpose")),
    "the log says which plugin failed and why",
  );
  await stopCleanly(bus);
});

for (const step of ["stopIntake", "stop"] as const) {
  test(`a plugin that throws in ${step} is logged, and the bus still ends with 0`, async (t) => {
    const module = await plugin(t, { [step]: "throw new Error('broken on purpose')" });
    const bus = await startBus(t, { apps: { faulty: { module } } });
    await assertWorks(t, bus);
    await stopCleanly(bus);
    const failures = records(bus.child).filter((record) => record.plugin === "faulty");
    assert.deepEqual(
      failures.map(({ level, error }) => [level, error]),
      [["ERROR", "broken on purpose"]],
    );
  });
}

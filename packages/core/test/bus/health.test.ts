import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import type { BackbonePlugin, BackboneState } from "../../src/contracts/backbone-plugin.ts";
import { StoppableWorker } from "../../src/flow/stoppable-worker.ts";
import { BackboneWatch } from "../../src/lifecycle/backbone-watch.ts";
import { appPlugin, settle } from "../messages.ts";
import { recordingLogger } from "../observe-fixtures.ts";
import { makeBus, TestApp, TestBackbone } from "./fixtures.ts";

/** A backbone with a broker that comes and goes. */
class Connected extends TestBackbone {
  state: BackboneState = { ok: true, text: "connected to 127.0.0.1:5672" };
}

async function values(metrics: Registry): Promise<unknown> {
  const metric = await metrics.getSingleMetric("threatbus_backbone_ok")?.get();
  return metric?.values.map(({ labels, value }) => [labels.backbone, value]);
}

test("changes of a backbone's state are told once, and the metric follows", async () => {
  const broker = new Connected("rabbitmq", []);
  const backbones = new Map<string, BackbonePlugin>([
    ["inmem", new TestBackbone("inmem", [])],
    ["rabbitmq", broker],
  ]);
  const { logger, lines } = recordingLogger();
  const told = () => lines.map(({ level, fields }) => [level, fields.state]);
  const metrics = new Registry();
  const watch = new BackboneWatch({ backbones, logger, metrics });
  watch.start();
  watch.look();
  assert.deepEqual(told(), []);
  broker.state = { ok: false, text: "connection refused" };
  watch.look();
  watch.look();
  assert.deepEqual(await values(metrics), [
    ["inmem", 1],
    ["rabbitmq", 0],
  ]);
  broker.state = { ok: true, text: "connected to 127.0.0.1:5673" };
  watch.look();
  watch.stop();
  assert.deepEqual(told(), [
    ["warn", "connection refused"],
    ["info", "connected to 127.0.0.1:5673"],
  ]);
});

test("the start says how the ways to the brokers are, and the health how everything is", async (t) => {
  const broker = new Connected("rabbitmq", []);
  const app = new TestApp("app", []);
  const { bus } = makeBus(t, { apps: { app }, backbones: { rabbitmq: broker } });
  const { backbones } = await bus.start();
  assert.deepEqual(backbones, [{ backbone: "rabbitmq", ok: true, text: "connected to 127.0.0.1:5672" }]);
  assert.deepEqual(bus.health(), {
    ok: true,
    parts: [
      { name: "backbone rabbitmq", ok: true, detail: "connected to 127.0.0.1:5672" },
      { name: "workers", ok: true, detail: "all work" },
    ],
  });
  broker.state = { ok: false, text: "connection refused" };
  assert.equal(bus.health().ok, false);
  assert.deepEqual(app.context.health(), bus.health());
});

test("a worker that failed, and a plugin that did not start, are no good health", async (t) => {
  class Failing extends StoppableWorker {
    protected override async run(): Promise<void> {
      throw new Error("no");
    }
  }
  const broken = appPlugin({ run: async () => Promise.reject(new Error("port in use")) });
  const apps = { app: new TestApp("app", []), broken };
  const { bus, metrics } = makeBus(t, { apps, backbones: { inner: new TestBackbone("inner", []) } });
  await bus.start();
  const { logger } = recordingLogger();
  const worker = new Failing("poller", { logger, metrics });
  worker.start();
  await settle();
  const parts = bus.health().parts.filter(({ ok }) => !ok);
  assert.deepEqual(parts, [
    { name: "workers", ok: false, detail: "failed, and started again: poller" },
    { name: "plugin broken", ok: false, detail: "failed to start: port in use" },
  ]);
  worker.stop();
  await worker.join();
  assert.deepEqual(
    bus
      .health()
      .parts.filter(({ ok }) => !ok)
      .map(({ name }) => name),
    ["plugin broken"],
  );
});

/** App plugins that no message passes through: what their start and their failure mean for the bus. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeBus, TestApp, TestBackbone } from "./fixtures.ts";

const noPort = () => Promise.reject(new Error("no port"));
const backbones = () => ({ inner: new TestBackbone("inner", []) });

test("an app that only watches does not keep a bus going through which nothing can pass", async (t) => {
  const events: string[] = [];
  const apps = { app: new TestApp("app", events, { run: noPort }) };
  const watchers = { watcher: new TestApp("watcher", events) };
  const { bus } = makeBus(t, { apps, watchers, backbones: backbones() });
  await assert.rejects(bus.start(), { code: "TB_PLUGIN_FAILED", message: /app plugin app .*no port/ });
  assert.deepEqual(events, ["app run", "watcher run", "watcher stop"]);
});

test("one that fails is reported and holds nothing up, unless it is all that there is", async (t) => {
  const watchers = { watcher: new TestApp("watcher", [], { run: noPort }) };
  const beside = makeBus(t, { apps: { app: new TestApp("app", []) }, watchers, backbones: backbones() });
  const { failed } = await beside.bus.start();
  assert.deepEqual(
    failed.map(({ plugin }) => plugin),
    ["watcher"],
  );
  const alone = makeBus(t, { apps: {}, watchers, backbones: backbones() });
  await assert.rejects(alone.bus.start(), { code: "TB_PLUGIN_FAILED", message: /watcher.*no port/ });
});

/** What `GET /health` says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "@threatbus/core";
import { Health } from "../src/health.ts";

test("of a part and a worker of one name the one that fails is shown", () => {
  const health = new Health(createMetrics());
  const worker = { ok: true };
  health.watch(() => [["files", { ...worker }]]);
  health.set("files", false, "no space");
  assert.deepEqual(health.report(), { status: "failing", parts: { files: { ok: false, detail: "no space" } } });
  health.set("files", true);
  assert.equal(health.report().status, "ok");
  worker.ok = false;
  assert.equal(health.report().status, "failing");
});

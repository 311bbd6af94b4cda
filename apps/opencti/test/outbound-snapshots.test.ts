import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { RecordingLogger } from "@threatbus/testkit";
import { Loops } from "../src/loops.ts";
import { answerSnapshot, type SnapshotAnswerOptions } from "../src/outbound/snapshot-answers.ts";
import { type GraphqlSite, startSite } from "./graphql-support.ts";
import { type OpenctiIndicator, openctiIndicator } from "./stand-in/indicators.ts";

const HOUR = 3_600;

/** The given indicators in OpenCTI, and what is answered. */
async function ask(
  t: TestContext,
  indicators: readonly OpenctiIndicator[],
  options: Partial<SnapshotAnswerOptions> & {
    readonly type?: "indicator" | "sighting";
    readonly seconds?: number;
  } = {},
) {
  const { type = "indicator", seconds = HOUR, ...rest } = options;
  const site: GraphqlSite = await startSite(t);
  for (const each of indicators) site.state.emit({ event: "create", data: openctiIndicator(each) });
  const logger = new RecordingLogger();
  const loops = new Loops();
  const skipped: string[] = [];
  const onSkipped = (reason: string): void => void skipped.push(reason);
  const all = { api: site.api, loops, logger, forwardAll: false, onSkipped, ...rest };
  const values: string[] = [];
  for await (const bytes of answerSnapshot(all, { type, seconds, id: "s", signal: site.signal })) {
    const { name, id, modified } = JSON.parse(bytes.toString());
    assert.equal(loops.wasPublished(id, modified), true);
    values.push(name);
  }
  return { ...site, values, skipped, logger };
}

const at = (value: string, secondsAgo: number, more: object = {}): OpenctiIndicator => ({
  value,
  modified: new Date(Date.now() - secondsAgo * 1_000).toISOString(),
  ...more,
});

describe("answering a snapshot request", () => {
  test("gives what was changed in that time and is for detection, oldest first", async (t) => {
    const { values, calls, invalid } = await ask(t, [
      at("new.example", 60),
      at("newer.example", 1),
      at("old.example", 2 * HOUR),
      at("silent.example", 60, { detection: false }),
      at("revoked.example", 60, { members: { revoked: true } }),
    ]);
    assert.deepEqual(values, ["new.example", "newer.example"]);
    assert.deepEqual([calls.map(({ field }) => field), invalid], [["indicators"], []]);
  });

  test("gives the others as well, if all are forwarded", async (t) => {
    const { values } = await ask(t, [at("a.example", 60), at("b.example", 30, { detection: false })], {
      forwardAll: true,
    });
    assert.deepEqual(values, ["a.example", "b.example"]);
  });

  test("goes from page to page", async (t) => {
    const many = Array.from({ length: 250 }, (_, number) => at(`h${number}.example`, 1_000 - number));
    const { values, calls } = await ask(t, many);
    assert.deepEqual([values.length, new Set(values).size, calls.length], [250, 250, 3]);
  });

  test("has an end, and says so", async (t) => {
    const many = Array.from({ length: 150 }, (_, number) => at(`h${number}.example`, 1_000 - number));
    const { values, logger } = await ask(t, many, { maxObjects: 120 });
    assert.equal(values.length, 120);
    assert.ok(logger.lines.some(({ message }) => message.includes("a snapshot is cut")));
  });

  test("counts what is no valid STIX, and goes on", async (t) => {
    const broken = at("broken.example", 60, { members: { valid_from: "yesterday" } });
    const { values, skipped } = await ask(t, [broken, at("good.example", 30)]);
    assert.deepEqual([values, skipped], [["good.example"], ["snapshot_invalid"]]);
  });

  test("is nothing for sightings, for no time, and for more time than there was", async (t) => {
    const one = [at("a.example", 60)];
    assert.deepEqual((await ask(t, one, { type: "sighting" })).values, []);
    assert.deepEqual((await ask(t, one, { seconds: -5 })).values, []);
    assert.deepEqual((await ask(t, one, { seconds: 8e13 })).values, ["a.example"]);
  });
});

import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { eventually, RecordingLogger } from "@threatbus/testkit";
import type { ConnectorInput } from "../src/graphql/index.ts";
import { Loops } from "../src/loops.ts";
import { Account } from "../src/outbound/account.ts";
import { keepRegistered } from "../src/outbound/registration.ts";
import { type GraphqlSite, startSite } from "./graphql-support.ts";

const CONNECTOR: ConnectorInput = {
  id: "5d0bb0e0-7a2b-4d7c-8a7e-0a6c0f7f6b10",
  name: "Threat Bus",
  type: "STREAM",
  scope: ["threatbus"],
  auto: false,
  only_contextual: false,
  playbook_compatible: false,
};

interface Registered {
  readonly logger: RecordingLogger;
  readonly resets: (string | undefined)[];
  readonly pings: () => unknown[];
}

function register(t: TestContext, { api, calls }: GraphqlSite, state: () => string | undefined): Registered {
  const end = new AbortController();
  const logger = new RecordingLogger();
  const resets: (string | undefined)[] = [];
  const onReset = (told: string | undefined): void => void resets.push(told);
  const queue = () => ({ size: 3, bytes: 5_000_000 });
  const running = keepRegistered({ api, logger, connector: CONNECTOR, state, onReset, queue, interval: 1 }, end.signal);
  t.after(async () => {
    end.abort();
    await running;
  });
  const pings = () => calls.filter(({ field }) => field === "pingConnector").map(({ variables }) => variables);
  return { logger, resets, pings };
}

describe("the connector in OpenCTI's list", () => {
  test("registers once, then tells its state and its queue", async (t) => {
    const site = await startSite(t);
    const { pings, resets } = register(t, site, () => "1718001002500-0");
    await eventually("it has told itself", () => pings().length > 3);
    assert.equal(site.calls.filter(({ field }) => field === "registerConnector").length, 1);
    const connectorInfo = { run_and_terminate: false, buffering: true, queue_threshold: 500, queue_messages_size: 5 };
    assert.deepEqual(pings()[0], { id: CONNECTOR.id, state: "1718001002500-0", connectorInfo });
    assert.deepEqual([resets, site.invalid], [[], []]);
  });

  test("hears of an administrator who resets it", async (t) => {
    const site = await startSite(t);
    let state = "1718001002500-0";
    const { pings, resets, logger } = register(t, site, () => state);
    await eventually("it has told itself", () => pings().length > 1);
    state = "1718001002600-0";
    site.faults.reset = { state: null };
    await eventually("it is reset", () => resets.length === 1);
    assert.deepEqual(resets, [undefined]);
    assert.ok(logger.lines.some(({ message }) => message.includes("reset the connector")));
  });

  test("is not reset while it has no state", async (t) => {
    const site = await startSite(t);
    const { pings, resets } = register(t, site, () => undefined);
    await eventually("it has told itself", () => pings().length > 3);
    assert.deepEqual(resets, []);
  });

  test("registers again where OpenCTI has forgotten it, and says once what is wrong", async (t) => {
    const site = await startSite(t);
    const { pings, logger } = register(t, site, () => "1718001002500-0");
    await eventually("it has told itself", () => pings().length > 0);
    site.faults.errors = [{ code: "FUNCTIONAL_ERROR", times: 3, field: "pingConnector" }];
    const before = site.calls.length;
    await eventually("it has told itself again", () =>
      site.calls.slice(before).some(({ field }) => field === "pingConnector"),
    );
    assert.ok(site.calls.slice(before).some(({ field }) => field === "registerConnector"));
    assert.equal(logger.lines.filter(({ level }) => level === "warn").length, 1);
  });
});

describe("the user of OpenCTI", () => {
  const needs = [
    { capability: "TAXIIAPI", purpose: "the live stream cannot be read" },
    { capability: "KNOWLEDGE_KNUPDATE", purpose: "nothing can be written" },
  ];

  async function lines(t: TestContext, capabilities: readonly string[]): Promise<string[]> {
    const { api, signal } = await startSite(t, { capabilities });
    const logger = new RecordingLogger();
    const account = new Account({ api, loops: new Loops(), logger, needs });
    for (let time = 0; time < 2; time += 1) await account.check(signal);
    return logger.lines.filter(({ level }) => level === "error").map(({ message }) => message);
  }

  test("is told once what it may not do", async (t) => {
    assert.deepEqual(await lines(t, ["KNOWLEDGE"]), [
      "the user of OpenCTI lacks the capability TAXIIAPI: the live stream cannot be read",
      "the user of OpenCTI lacks the capability KNOWLEDGE_KNUPDATE: nothing can be written",
    ]);
  });

  test("may do what a larger capability includes, and everything with BYPASS", async (t) => {
    assert.deepEqual(await lines(t, ["TAXIIAPI", "KNOWLEDGE_KNUPDATE_KNDELETE"]), []);
    assert.deepEqual(await lines(t, ["BYPASS"]), []);
  });
});

/** What a stop waits for. That it does not wait is shown by deadlines that never come. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { type DrainParts, drain } from "../../src/lifecycle/drain.ts";
import { recordingLogger } from "../observe-fixtures.ts";

/** A bus of which three messages wait for a broker that is away. */
function stage(parts: Partial<DrainParts> = {}) {
  const { logger, lines } = recordingLogger();
  const order: string[] = [];
  const state = { unfinished: 3, isCutOff: true, missed: 0 };
  const backbones = {
    get unfinished() {
      return state.unfinished;
    },
    get isCutOff() {
      return state.isCutOff;
    },
    drained: async (signal: AbortSignal) => {
      if (!signal.aborted) await once(signal, "abort");
      order.push("inq");
      throw signal.reason;
    },
  };
  const deadline = new AbortController();
  const over = drain(
    {
      logger,
      timeout: 1_000,
      interval: 1,
      backbones,
      withdrawals: undefined,
      subscriptions: { drained: async () => void order.push("outqs") },
      handover: {
        restored: async () => undefined,
        get missed() {
          return state.missed;
        },
      },
      isKept: () => true,
      ...parts,
    },
    deadline.signal,
  );
  return { over, state, order, lines, deadline };
}

/** So many looks. */
async function looks(count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = count;
  const timer = setInterval(() => --left === 0 && resolve(), 2);
  await promise;
  clearInterval(timer);
}

test("what waits for a broker that is away is not waited for, and the apps get what is theirs", async () => {
  const { over, order, lines } = stage();
  await over;
  assert.deepEqual(order, ["inq", "outqs"]);
  assert.match(JSON.stringify(lines), /waits in the durable log for the next start/);
  assert.doesNotMatch(JSON.stringify(lines), /in time/);
});

const WAITED_FOR: Readonly<Record<string, (made: ReturnType<typeof stage>) => void>> = {
  "a broker that can be reached": ({ state }) => Object.assign(state, { isCutOff: false }),
  "what the log did not keep": ({ state }) => Object.assign(state, { missed: 1 }),
  "messages that still move": ({ state }) => Object.defineProperty(state, "unfinished", { get: () => Math.random() }),
};

for (const [what, arrange] of Object.entries(WAITED_FOR)) {
  test(`until the deadline a stop waits for ${what}`, async () => {
    const made = stage();
    arrange(made);
    await looks(10);
    assert.deepEqual(made.order, []);
    made.deadline.abort();
    await made.over;
    assert.match(JSON.stringify(made.lines), /not everything was delivered in time/);
  });
}

test("without an outbox, and with a log that is not written, nothing is given up early", async () => {
  for (const parts of [{ handover: undefined }, { isKept: () => false }]) {
    const { over, order, deadline } = stage(parts);
    await looks(10);
    assert.deepEqual(order, []);
    deadline.abort();
    await over;
  }
});

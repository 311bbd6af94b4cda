/** What is said of the state of the durable log. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { Registry } from "prom-client";
import type { LogState } from "../../src/contracts/log.ts";
import { LogKeeper } from "../../src/lifecycle/log-keeper.ts";
import { MemoryLog } from "../memory-log.ts";
import { settle } from "../messages.ts";
import { recordingLogger } from "../observe-fixtures.ts";

/** A log whose states a test sets. */
class StatefulLog extends MemoryLog {
  readonly events = new EventEmitter();

  override on(event: "state", listener: (state: LogState, error: Error | undefined) => void): unknown {
    return this.events.on(event, listener);
  }

  become(state: LogState, error?: Error): void {
    this.state = state;
    this.events.emit("state", state, error);
  }

  async close(): Promise<void> {
    this.become("closed");
  }
}

function keep(log: StatefulLog) {
  const { logger, lines } = recordingLogger();
  const keeper = new LogKeeper({ log, path: "log.db", logger, metrics: new Registry(), deduplicate: false });
  return { keeper, lines };
}

test("a log that begins stalled is said once, with the reason", async () => {
  const log = new StatefulLog();
  log.state = "stalled";
  // It tells its state as soon as somebody can listen.
  setImmediate(() => log.become("stalled", new Error("no space is left")));
  const { keeper, lines } = keep(log);
  await settle();
  keeper.announce();
  log.become("ok");
  await keeper.close();
  const said = lines.map((line) => JSON.stringify(line));
  assert.equal(said.length, 3, said.join("\n"));
  assert.match(said[0] ?? "", /cannot be written.*no space is left|no space is left.*cannot be written/);
  assert.match(said[1] ?? "", /kept in the durable log/);
  assert.match(said[2] ?? "", /being written again/);
});

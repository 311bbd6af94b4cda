/** A client of the fake bus that does not wait long for anything. */
import type { TestContext } from "node:test";
import { type ClientOptions, connect } from "../src/index.ts";
import type { FakeBus } from "./fake-bus.ts";

/** For tests that wait for a peer. */
export const TIMEOUT = { timeout: 20_000 };
/** Milliseconds. */
export const FAST = { heartbeat: 20, request: 200, retryMin: 5, retryMax: 20, close: 2_000 };

/** It is closed after the test. */
export function client(t: TestContext, bus: FakeBus, options: ClientOptions = {}) {
  const made = connect({ endpoint: bus.endpoint, timeouts: FAST, ...options });
  t.after(() => made.close());
  return made;
}

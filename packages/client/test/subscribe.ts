import type { TestContext } from "node:test";
import type { ClientLogger, Gap, SubscribeOptions } from "../src/index.ts";
import type { FakeBus } from "./fake-bus.ts";
import { client } from "./fast-client.ts";

/** A subscription with what it says on the way. */
export function subscribe(t: TestContext, bus: FakeBus, options: SubscribeOptions = {}) {
  const gaps: Gap[] = [];
  const warnings: string[] = [];
  const ignore = () => {};
  const logger: ClientLogger = {
    debug: ignore,
    info: ignore,
    warn: (_, message) => void warnings.push(message),
    error: ignore,
  };
  const subscription = client(t, bus, { logger }).subscribe("stix2", { onGap: (gap) => gaps.push(gap), ...options });
  const messages = subscription[Symbol.asyncIterator]();
  return { subscription, messages, gaps, warnings };
}

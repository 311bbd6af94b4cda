/** One data source on the stand-in, with a bus that only remembers. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Publishable } from "@threatbus/client";
import { createMetrics as createRegistry } from "@threatbus/core";
import { RecordingLogger } from "@threatbus/testkit";
import { findLauncher } from "../../src/launcher.ts";
import { createMetrics } from "../../src/metrics.ts";
import { settingsSchema } from "../../src/options.ts";
import { redactor } from "../../src/redact.ts";
import { type RunLimits, Shifter } from "../../src/shifter.ts";
import { Slots } from "../../src/slots.ts";
import { Source, type SourceContext, type SourceParts } from "../../src/source.ts";
import { warningLog } from "../../src/warnings.ts";
import { type Behaviour, type Call, callsIn, DATA_SOURCE, folder, STUB } from "./stub.ts";

/** The quotes have to be hidden in the form of JSON as well. */
const PASSWORD = 'correct "horse" battery';

export interface SourceOptions {
  readonly behaviour?: Behaviour;
  readonly translation?: Readonly<Record<string, unknown>>;
  readonly limits?: Partial<RunLimits>;
  readonly parts?: Partial<SourceParts>;
}

export interface TestSource {
  readonly source: Source;
  readonly logger: RecordingLogger;
  /** Sightings that were published. */
  readonly published: Record<string, unknown>[];
  /** What was dropped: reason and sample. */
  readonly drops: string[];
  /** Every state that was told, such as "false service_unavailable". */
  readonly health: string[];
  readonly calls: () => Call[];
}

export async function stubSource(t: TestContext, options: SourceOptions = {}): Promise<TestSource> {
  const log = join(await folder(t), "calls.jsonl");
  const logger = new RecordingLogger();
  const published: Record<string, unknown>[] = [];
  const drops: string[] = [];
  const health: string[] = [];
  const context = {
    logger,
    publish: (objects: readonly Publishable[]) => {
      for (const each of objects) published.push((each as { object: Record<string, unknown> }).object);
      return Promise.resolve();
    },
    drops: { note: (reason: string, _count = 1, sample?: unknown) => drops.push(`${reason} ${String(sample)}`) },
    health: { set: (_part: string, ok: boolean, detail = "") => health.push(`${ok} ${detail}`.trim()) },
  } as unknown as SourceContext;
  const { modules } = settingsSchema.parse({
    modules: {
      stub: {
        max_results: 100,
        connection: { host: "127.0.0.1", stub: { log, ...options.behaviour } },
        transmission: { auth: { username: "reader", password: PASSWORD } },
        translation: options.translation ?? {},
        data_source: DATA_SOURCE,
      },
    },
  });
  const settings = modules.stub;
  if (settings === undefined) throw new Error("no module");
  const redact = redactor(settings);
  const onAside = warningLog("stub", redact, logger);
  const launcher = await findLauncher(STUB, false);
  const limits = { timeout: 30_000, maxOutput: 100_000, ...options.limits };
  const source = new Source({
    name: "stub",
    shifter: new Shifter({ launcher, limits, module: "stub", settings, redact, onAside }),
    context,
    metrics: createMetrics(createRegistry(), () => 0),
    slots: new Slots(4),
    allSlots: new Slots(8),
    times: { timeout: 30_000, firstPause: 1, longestPause: 10 },
    maxBatch: launcher.maxArgument,
    maxSightings: 100,
    attempts: 3,
    retryPause: 1,
    ...options.parts,
  });
  return { source, logger, published, drops, health, calls: () => callsIn(log) };
}

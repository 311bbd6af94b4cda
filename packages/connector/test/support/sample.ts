/** A connector for the tests that does what its settings say, and says what it does. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { ConnectorContext, ConnectorDefinition } from "../../src/definition.ts";
import { sharedSettings } from "../../src/options.ts";
import { runProgram } from "../../src/program.ts";
import { makeSighting } from "../../src/sighting.ts";

const settingsSchema = z.strictObject({
  ...sharedSettings({ httpPort: 0 }),
  mode: z
    .enum([
      "idle",
      "report",
      "publish",
      "start_fails",
      "start_hangs",
      "start_is_deaf",
      "worker_fails",
      "worker_is_deaf",
      "worker_fails_once",
      "unhandled",
    ])
    .default("idle")
    .describe("What it does."),
  tool: z.strictObject({ token: z.string().default("none") }).prefault({}),
});
type Settings = z.output<typeof settingsSchema>;

export const sample: ConnectorDefinition<Settings> = {
  name: "sample",
  description: "Shows what connectors have in common",
  manifest: new URL("../../package.json", import.meta.url),
  variablePrefix: "SAMPLE_THREATBUS_",
  variableAliases: { SAMPLE_TOKEN: ["tool", "token"] },
  settingsSchema,
  commands: [
    {
      name: "show",
      define: (command) => command.description("print a setting").argument("<what>").option("--loud", "in capitals"),
      run: (settings, [what = ""], { loud }) => {
        const text = `${what}: ${settings.tool.token}`;
        process.stdout.write(`${loud === true ? text.toUpperCase() : text}\n`);
        return Promise.resolve();
      },
    },
  ],
  async run(context) {
    const { settings, logger, signal } = context;
    if (settings.mode === "start_fails") throw new Error("the tool is not there");
    if (settings.mode === "start_hangs") await forEver(signal);
    if (settings.mode === "start_is_deaf") await forEver(new AbortController().signal);
    if (settings.mode === "unhandled") void Promise.reject(new Error("nobody has caught this"));
    context.work("first", async (own) => {
      await work(context, own).finally(() => logger.info({}, "worker ended"));
    });
    return () => {
      logger.info({}, "end function called");
      return Promise.resolve();
    };
  },
};

const REF = "indicator--00000000-0000-4000-8000-000000000001";
let failures = 0;

async function work(context: ConnectorContext<Settings>, signal: AbortSignal): Promise<void> {
  const { settings, health, drops } = context;
  if (settings.mode === "worker_is_deaf") await forEver(new AbortController().signal);
  if (settings.mode === "worker_fails") throw new Error("it broke");
  if (settings.mode === "publish")
    await context.publish([makeSighting({ ref: REF, lastSeen: "2026-01-01T00:00:00Z" })]);
  if (settings.mode === "report" || settings.mode === "worker_fails_once") {
    for await (const { object } of context.subscribe("stix2/indicator")) {
      failures += 1;
      if (settings.mode === "worker_fails_once" && failures === 1) throw new Error("it broke in the middle");
      drops.note("sampled");
      health.set("tool", false, "seen");
      await context.publish([makeSighting({ ref: object.id, lastSeen: new Date().toISOString(), key: [object.id] })]);
    }
    return;
  }
  await forEver(signal);
}

async function forEver(signal: AbortSignal): Promise<void> {
  await sleep(2 ** 30, undefined, { signal });
}

/** Started by the tests as a program of its own. */
export function main(): Promise<void> {
  return runProgram(sample, process.argv.slice(1));
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { z } from "zod";
import { type ConfigResult, loadConfig } from "../src/config/load.ts";
import { port } from "../src/config/values.ts";
import { type Builtins, loadPlugins } from "../src/lifecycle/load.ts";

/** A directory that is gone after the test. */
export function directory(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), "threatbus-config-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

function app(name: string, configSchema: z.ZodType) {
  const create = () => ({ run: async () => [], stopIntake: async () => {}, stop: async () => {} });
  return async () => ({ default: { kind: "app", name, description: `the ${name} app`, configSchema, create } });
}

function backbone(name: string, configSchema: z.ZodType) {
  const create = () => ({
    run: async () => {},
    subscribe: async () => {},
    unsubscribe: async () => {},
    stop: async () => {},
  });
  const common = { kind: "backbone", name, description: `the ${name} backbone`, deliversOnce: true };
  return async () => ({ default: { ...common, configSchema, create } });
}

/** Plugins with the settings of the real ones, as far as the tests use them. */
export const builtins: Builtins = {
  apps: {
    zmq: app(
      "zmq",
      z.strictObject({
        host: z.string().default("127.0.0.1").describe("Address to listen on."),
        manage: port(13_370),
        pub: port(13_371),
        sub: port(13_372),
      }),
    ),
    http: app("http", z.strictObject({ host: z.string().default("127.0.0.1"), port: port(13_379) })),
    zeek: app(
      "zeek",
      z.strictObject({
        host: z.string(),
        port: z.int().min(1).max(65_535),
        module_namespace: z.string().default("Tenzir"),
      }),
    ),
    misp: app(
      "misp",
      z.strictObject({
        api: z.strictObject({ host: z.url(), ssl: z.boolean().default(true), key: z.string().length(40) }).optional(),
        filter: z.array(z.strictObject({ orgs: z.array(z.string()).default([]) })).default([]),
      }),
    ),
  },
  backbones: {
    inmem: backbone("inmem", z.strictObject({})),
    "file-benchmark": backbone(
      "file-benchmark",
      z.strictObject({ input_file: z.string(), repetitions: z.int().min(1).default(1) }),
    ),
  },
};

/** Loads the configuration of `cwd` with the plugins above. */
export async function load(
  cwd: string,
  env: Readonly<Record<string, string>> = {},
  path?: string,
): Promise<ConfigResult> {
  const plugins = (requests: Parameters<typeof loadPlugins>[0]) =>
    loadPlugins(requests, { builtins, resolveFrom: cwd });
  return await loadConfig({ cwd, env, path, plugins });
}

/** The configuration; the errors as the test's failure where there is none. */
export function accepted(result: ConfigResult) {
  if (!result.ok) throw new Error(result.error.message);
  return result.config;
}

/** The errors as lines. */
export function rejected(result: ConfigResult): string {
  if (result.ok) throw new Error("the configuration was accepted");
  return result.error.message;
}

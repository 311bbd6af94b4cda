/** The Python Threat Bus, with its zmq plugin and a backbone. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { freePorts } from "../../../scripts/services/service.ts";
import { folder, start } from "./process.ts";

/**
 * Starts it on free ports, which it cannot choose by itself.
 *
 * @param programs folder of the environment's programs
 * @param started a line of its log that says that its backbone is ready too
 * @returns where its apps find it
 */
export async function startOriginal(
  t: TestContext,
  programs: string,
  backbones: Readonly<Record<string, unknown>> = { inmem: {} },
  started?: RegExp,
): Promise<string> {
  const cwd = await folder(t);
  const [manage, pub, sub] = await freePorts(3);
  const config = {
    logging: { console: true, console_verbosity: "DEBUG", file: false },
    plugins: { backbones, apps: { zmq: { host: "127.0.0.1", manage, pub, sub } } },
  };
  await writeFile(join(cwd, "config.yaml"), JSON.stringify(config));
  const bus = start(t, `${programs}/threatbus`, ["-c", "config.yaml"], { cwd });
  // It ends in order at SIGINT alone.
  t.after(() => bus.stop("SIGINT", 1_000));
  await bus.line(/ZeroMQ app plugin started/);
  if (started !== undefined) await bus.line(started);
  return `127.0.0.1:${manage}`;
}

/** Servers as the tests of one file share them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { installRabbitmq, type RabbitmqOptions, type RabbitmqService, startRabbitmq } from "./rabbitmq.ts";
import type { Service } from "./service.ts";

/**
 * Why a server cannot be had here: tests that need it then skip with that reason; undefined when it can.
 *
 * @throws under CI, where everything has to run
 */
export async function reasonToSkip(install: () => Promise<void>): Promise<string | undefined> {
  try {
    await install();
    return undefined;
  } catch (error) {
    if (process.env.CI === "true") throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

/** A folder for this file's tests, removed after them. */
export async function folderForTests(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `threatbus-${name}-`));
  after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Stops a server after the tests of this file; its data is not needed any more. */
export function stoppedAfterTests<T extends Service>(service: T): T {
  after(() => service.kill());
  return service;
}

/**
 * A RabbitMQ for the tests of one file, to be called at the top of it: the start takes seconds. Tests keep apart by names
 * of exchanges and queues.
 */
export async function rabbitmqForTests(options: Omit<RabbitmqOptions, "folder"> = {}): Promise<RabbitmqService> {
  const folder = await folderForTests("rabbitmq");
  return stoppedAfterTests(await startRabbitmq({ ...options, folder }));
}

export const rabbitmqMissing = (): Promise<string | undefined> => reasonToSkip(installRabbitmq);

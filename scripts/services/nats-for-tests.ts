/** NATS servers as tests use them: each belongs to one test, or to one file, and is gone with its data after it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reasonToSkip } from "./for-tests.ts";
import { installNats, type NatsOptions, type NatsService, startNats, startNatsCluster } from "./nats.ts";

/** A test, or node:test itself, whose `after` is that of the file. */
interface Owner {
  after(discard: () => Promise<void>): void;
}

export async function natsForTest(t: Owner, options: Omit<NatsOptions, "folder"> = {}): Promise<NatsService> {
  const folder = await newFolder();
  const server = await startNats({ ...options, folder });
  t.after(() => discard([server], folder));
  return server;
}

/** Three servers as a cluster. */
export async function clusterForTest(
  t: Owner,
  options: Omit<NatsOptions, "folder" | "port"> = {},
): Promise<readonly NatsService[]> {
  const folder = await newFolder();
  const servers = await startNatsCluster({ ...options, folder });
  t.after(() => discard(servers, folder));
  return servers;
}

export const natsMissing = (): Promise<string | undefined> => reasonToSkip(installNats);

async function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "threatbus-nats-"));
}

async function discard(servers: readonly NatsService[], folder: string): Promise<void> {
  await Promise.all(servers.map((server) => server.kill()));
  await rm(folder, { recursive: true, force: true });
}

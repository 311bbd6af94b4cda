/**
 * Starts and stops the brokers that a person needs to try the backbones: a RabbitMQ, and three NATS servers as a cluster.
 *
 *   node scripts/services.ts up        starts them in the background and prints where they are
 *   node scripts/services.ts status    prints what runs
 *   node scripts/services.ts down      stops them; their data is removed
 *
 * They run privately: free ports of 127.0.0.1, data and log under build/services.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { startNatsCluster } from "./services/nats.ts";
import { startRabbitmq } from "./services/rabbitmq.ts";
import type { Service } from "./services/service.ts";
import { forgetRunning, isHolder, type Running, readRunning, servicesFolder, writeRunning } from "./services/state.ts";

const LOG = `${servicesFolder}/services.log`;
/** Milliseconds for all servers to start, or to stop; an installation may be part of it. */
const PATIENCE = 600_000;

/** All servers; each is stopped when a later one does not start. */
const STARTS: readonly (() => Promise<readonly Service[]>)[] = [
  async () => [await startRabbitmq({ folder: `${servicesFolder}/rabbitmq` })],
  async () => startNatsCluster({ folder: `${servicesFolder}/nats` }),
];

const COMMANDS: Readonly<Record<string, () => Promise<void>>> = { up, down, status, hold };

const command = COMMANDS[process.argv[2] ?? ""];
if (command === undefined) {
  console.error("usage: npm run services -- up|down|status");
  process.exitCode = 64;
} else {
  await command();
}

async function up(): Promise<void> {
  if ((await readRunning()) === undefined) {
    await rm(servicesFolder, { recursive: true, force: true });
    await mkdir(servicesFolder, { recursive: true });
    const log = openSync(LOG, "a");
    const stdio = ["ignore", log, log] as const;
    const holder = spawn(process.execPath, [import.meta.filename, "hold"], { detached: true, stdio: [...stdio] });
    holder.unref();
    closeSync(log);
    const ended = new Promise<true>((resolve) => holder.once("exit", () => resolve(true)));
    const deadline = Date.now() + PATIENCE;
    while ((await readRunning()) === undefined) {
      const failed = (await Promise.race([ended, delay(100, false)])) || Date.now() > deadline;
      if (failed) throw new Error(`the servers did not start:\n${(await readFile(LOG, "utf8")).slice(-4_000)}`);
    }
  }
  await status();
}

async function status(): Promise<void> {
  const running = await readRunning();
  if (running === undefined) console.log("nothing runs");
  else print(running);
}

async function down(): Promise<void> {
  const running = await readRunning();
  if (running !== undefined) {
    process.kill(running.holder, "SIGTERM");
    const deadline = Date.now() + PATIENCE;
    while (isHolder(running.holder)) {
      if (Date.now() > deadline) throw new Error(`process ${running.holder} does not end: see ${LOG}`);
      await delay(100);
    }
  }
  await rm(servicesFolder, { recursive: true, force: true });
  console.log("nothing runs");
}

/** Runs in the background: the servers are its children, and end with it. */
async function hold(): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  process.once("SIGTERM", () => stopped.resolve());
  const services: Service[] = [];
  try {
    for (const start of STARTS) services.push(...(await start()));
    const described = services.map(({ name, url, pid }) => ({ name, url, pid }));
    await writeRunning({ holder: process.pid, services: described });
    const alive = setInterval(() => undefined, 2 ** 30);
    await stopped.promise;
    clearInterval(alive);
  } finally {
    await Promise.all(services.map((service) => service.stop()));
    await forgetRunning();
  }
}

function print({ services }: Running): void {
  for (const { name, url, pid } of services) console.log(`${name.padEnd(10)} ${url}   process ${pid}`);
}

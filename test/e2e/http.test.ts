/** Health and metrics of the real program, as a supervisor and Prometheus get them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { root } from "../../scripts/python/environments.ts";
import { folder, start } from "../interop/support/process.ts";
import { records, startBus, stopCleanly } from "./support/bus.ts";

const MOODY = new URL("support/moody-backbone.ts", import.meta.url).pathname;

interface Answer {
  readonly code: number;
  readonly status: string;
  readonly parts: Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>;
}

async function healthOf(url: string): Promise<Answer> {
  const response = await fetch(`${url}/health`);
  return { code: response.status, ...((await response.json()) as Omit<Answer, "code">) };
}

test("the health follows a broker that is lost and comes back, and the metrics say the same", async (t) => {
  const bus = await startBus(t, { apps: { http: { port: 0 } }, backbones: { moody: { module: MOODY } } });
  const [, url = ""] = await bus.child.line(/http api (http:\/\/127\.0\.0\.1:\d+)/);
  const ok = async () =>
    /^threatbus_backbone_ok\{backbone="moody"\} (\d)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];

  assert.deepEqual(await healthOf(url), {
    code: 200,
    status: "ok",
    parts: {
      log: { ok: true, detail: "at position 0" },
      "backbone moody": { ok: true, detail: "connected to the memory broker" },
      workers: { ok: true, detail: "all work" },
    },
  });
  assert.equal(await ok(), "1");
  bus.child.kill("SIGUSR2");
  await eventually("the loss", async () => (await healthOf(url)).code === 503);
  const { status, parts } = await healthOf(url);
  assert.equal(status, "failing");
  assert.deepEqual(parts["backbone moody"], { ok: false, detail: "the memory broker is down" });
  assert.equal(parts.log?.ok, true);
  assert.equal(await ok(), "0");
  bus.child.kill("SIGUSR2");
  await eventually("the return", async () => (await healthOf(url)).code === 200);
  assert.equal(await ok(), "1");
  await stopCleanly(bus);
});

/** A port that somebody listens on. */
async function takenPort(t: TestContext): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

test("a port in use is said with its setting, and the rest of the bus runs", async (t) => {
  const port = await takenPort(t);
  const bus = await startBus(t, { apps: { http: { port } } });
  const [failed] = records(bus.child).filter(({ plugin }) => plugin === "http");
  assert.equal(failed?.level, "ERROR");
  assert.match(String(failed?.error), new RegExp(`port ${port} \\(setting plugins\\.apps\\.http\\.port\\) is in use`));
  await stopCleanly(bus);
});

test("without a file the built-in default has it, and it is no reason to run when apps cannot connect", async (t) => {
  const taken = String(await takenPort(t));
  const env = {
    THREATBUS_PLUGINS__APPS__ZMQ__MANAGE: "0",
    THREATBUS_PLUGINS__APPS__ZMQ__PUB: "0",
    THREATBUS_PLUGINS__APPS__ZMQ__SUB: "0",
    THREATBUS_PLUGINS__APPS__HTTP__PORT: "0",
  };
  const program = `${root}/packages/cli/bin/threatbus.ts`;
  const run = async (more: Readonly<Record<string, string>>) =>
    start(t, process.execPath, [program], { cwd: await folder(t), env: { ...env, ...more } });
  const bus = await run({});
  const [, url = ""] = await bus.line(/ready: .*http api (http:\/\/127\.0\.0\.1:\d+)/);
  assert.equal((await healthOf(url)).parts["backbone inmem"]?.ok, true);
  assert.deepEqual(await bus.stop(), { code: 0, signal: null });

  const useless = await run({ THREATBUS_PLUGINS__APPS__ZMQ__SUB: taken });
  assert.deepEqual(await useless.exited, { code: 1, signal: null });
  assert.match(
    useless.lines.at(-1) ?? "",
    new RegExp(`port ${taken} \\(setting plugins\\.apps\\.zmq\\.sub\\) is in use`),
  );
});

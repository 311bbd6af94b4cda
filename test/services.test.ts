/** `npm run services`: brokers for a person, in the background, that are gone when they should be. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { root } from "../scripts/python/environments.ts";
import { run } from "../scripts/run-command.ts";
import { rabbitmqMissing } from "../scripts/services/for-tests.ts";

const skip = await rabbitmqMissing();

/** Is there a program behind the port? */
async function answers(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(Number(port), hostname);
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}

test("up, status, down; and nothing is left when the program that holds them is killed", { skip }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "threatbus-services-"));
  const services = async (command: string) => {
    const env = { THREATBUS_SERVICES_FOLDER: folder };
    const { code, output } = await run(process.execPath, [`${root}/scripts/services.ts`, command], { env });
    assert.equal(code, 0, output);
    return output;
  };
  t.after(async () => {
    await services("down");
    await rm(folder, { recursive: true, force: true });
  });
  assert.equal(await services("status"), "nothing runs\n");
  const shown = await services("up");
  assert.match(shown, /^rabbitmq +amqp:\/\/guest:guest@127\.0\.0\.1:\d+ +process \d+$/m);
  assert.equal(await services("up"), shown, "again is the same as once");
  assert.equal(await services("status"), shown);
  const urls = [...shown.matchAll(/\w+:\/\/\S+/g)].map(([url]) => url);
  for (const url of urls) assert.ok(await answers(url), url);

  const { holder } = JSON.parse(readFileSync(join(folder, "running.json"), "utf8"));
  process.kill(holder, "SIGKILL");
  for (const url of urls) await eventually(`${url} is gone`, async () => !(await answers(url)));
  assert.equal(await services("status"), "nothing runs\n");

  const [again = ""] = /amqp:\S+/.exec(await services("up")) ?? [];
  assert.ok(await answers(again));
  assert.equal(await services("down"), "nothing runs\n");
  assert.ok(!(await answers(again)));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Pub, Rep, Req, Sub, Xpub } from "../src/index.ts";
import { closing, LOOPBACK, until } from "./support.ts";

/** Timers of any kind that would wake the process. */
function timers(): string[] {
  return process.getActiveResourcesInfo().filter((resource) => resource === "Timeout" || resource === "Immediate");
}

// No timeout option: the runner's own timer would be counted.
test("connections that are ready and idle run no timers", async (t) => {
  const xpub = closing(t, new Xpub());
  const sub = closing(t, new Sub());
  const rep = closing(t, new Rep());
  rep.serve(() => Buffer.from("ok"));
  const [subscriber, pub, req] = [closing(t, new Sub()), closing(t, new Pub()), closing(t, new Req())];
  subscriber.subscribe("t");
  subscriber.connect(await xpub.bind(LOOPBACK));
  sub.subscribe("t");
  pub.connect(await sub.bind(LOOPBACK));
  req.connect(await rep.bind(LOOPBACK));
  await pub.subscribed("t");
  await req.request(Buffer.from("x"));
  await until(() => xpub.hasSubscriber("t"));
  xpub.sender("t").send(Buffer.from("t"));
  await subscriber.receive();
  await new Promise(setImmediate);
  assert.deepEqual(timers(), []);
});

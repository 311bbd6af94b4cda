import assert from "node:assert/strict";
import { test } from "node:test";
import { Rep, Req } from "../src/index.ts";
import { encodeFrame, FLAG_MORE } from "../src/wire/frame.ts";
import { closing, LOOPBACK, RawPeer, until } from "./support.ts";

const TIMEOUT = { timeout: 20_000 };

test("a peer that sends many requests at once does not hold up another", TIMEOUT, async (t) => {
  const rep = closing(t, new Rep());
  const address = await rep.bind(LOOPBACK);
  const req = closing(t, new Req());
  req.connect(address);
  const answered: string[] = [];
  let other: Promise<Buffer> | undefined;
  rep.serve(([body = Buffer.alloc(0)]) => {
    answered.push(String(body));
    if (String(body) === "first") other = req.request(Buffer.from("other"));
    // half a millisecond of work
    for (const since = performance.now(); performance.now() - since < 0.5; );
    return body;
  });
  const many = 1000;
  const message = (text: string) => [encodeFrame(FLAG_MORE, Buffer.alloc(0)), encodeFrame(0, Buffer.from(text))];
  const peer = await RawPeer.ready(t, address, "DEALER");
  peer.send(...message("first"), ...Array.from({ length: many }, (_, index) => message(`${index}`)).flat());
  await until(() => answered.includes("other"));
  assert.equal(String(await other), "other");
  assert.ok(answered.length < many, `${answered.length}`);
  await until(() => answered.length === many + 2);
  const inOrder = Array.from({ length: many }, (_, index) => `${index}`);
  assert.deepEqual(
    answered.filter((text) => text !== "other"),
    ["first", ...inOrder],
  );
  await until(() => peer.text.endsWith(`${many - 1}`));
});

test("a peer that is gone before its many requests are answered keeps nobody waiting", TIMEOUT, async (t) => {
  const rep = closing(t, new Rep());
  const address = await rep.bind(LOOPBACK);
  let asked = 0;
  rep.serve(([body = Buffer.alloc(0)]) => {
    asked++;
    for (const since = performance.now(); performance.now() - since < 0.5; );
    return body;
  });
  const request = [encodeFrame(FLAG_MORE, Buffer.alloc(0)), encodeFrame(0, Buffer.from("x"))];
  const many = Array.from({ length: 1000 }, () => request).flat();
  for (let count = 0; count < 3; count++) {
    const peer = await RawPeer.ready(t, address, "DEALER");
    peer.send(...many);
    const before = asked;
    await until(() => asked > before);
    peer.socket.destroy();
  }
  const req = closing(t, new Req());
  req.connect(address);
  assert.equal(String(await req.request(Buffer.from("other"))), "other");
  assert.ok(asked < 3000, `${asked}`);
});

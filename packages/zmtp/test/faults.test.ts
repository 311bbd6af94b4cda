import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { backoff } from "../src/connection/connector.ts";
import { type Address, Rep, type SocketOptions, Sub, Xpub } from "../src/index.ts";
import { encodeFrame, FLAG_MORE } from "../src/wire/frame.ts";
import { encodeGreeting } from "../src/wire/greeting.ts";
import { bytes, closing, command, LOOPBACK, RawPeer, ready, recorder, until } from "./support.ts";

const TIMEOUT = { timeout: 20_000 };
const GREETING = encodeGreeting("NULL", false);

interface Rig {
  readonly address: Address;
  readonly log: ReturnType<typeof recorder>;
}

async function bound(
  t: TestContext,
  Type: typeof Xpub | typeof Sub | typeof Rep,
  options: SocketOptions = {},
): Promise<Rig> {
  const log = recorder();
  const socket = closing(t, new Type({ ...options, onEvent: log.onEvent }));
  return { log, address: await socket.bind(LOOPBACK) };
}

/** Sends bytes to an XPUB before any handshake, and expects the connection to be closed for that reason. */
async function expectClosed(
  t: TestContext,
  text: string,
  sent: readonly Buffer[],
  options?: SocketOptions,
): Promise<void> {
  const { address, log } = await bound(t, Xpub, options);
  const peer = await RawPeer.connect(t, address);
  peer.send(...sent);
  await until(() => peer.closed);
  assert.ok(log.has(text), `${text} in ${JSON.stringify(log.events)}`);
}

test("greetings and handshakes that are wrong are refused with their reason", TIMEOUT, async (t) => {
  const curve = encodeGreeting("CURVE", false);
  await expectClosed(t, "protocol-error:bad-greeting", [Buffer.from("GET / HTTP/1.1\r\n\r\n")]);
  await expectClosed(t, "refused:version", [bytes("FF00000000000000017F 01 05")]);
  await expectClosed(t, "refused:mechanism", [curve]);
  await expectClosed(t, "protocol-error:unexpected-command", [GREETING, command("HELLO")]);
  await expectClosed(t, "protocol-error:unexpected-message", [GREETING, encodeFrame(0, Buffer.from("x"))]);
  await expectClosed(t, "protocol-error:bad-metadata", [GREETING, command("READY")]);
  await expectClosed(t, "protocol-error:bad-command", [GREETING, bytes("04 02 05 41")]);
  await expectClosed(t, "closed-by-limit:metadata-too-large", [GREETING, command("READY", Buffer.alloc(9_000))]);
  await expectClosed(t, "closed-by-limit:command-too-large", [GREETING, bytes("06 FFFFFFFFFFFFFFFF")]);
  await expectClosed(t, "refused:refused-by-peer", [GREETING, command("ERROR", Buffer.from("\x02no"))]);
});

test("an incompatible socket type is told so", TIMEOUT, async (t) => {
  const { address, log } = await bound(t, Xpub);
  const peer = await RawPeer.connect(t, address);
  peer.send(GREETING, ready("REQ"));
  await until(() => peer.closed);
  assert.ok(log.has("refused:incompatible-socket"));
  assert.ok(peer.text.endsWith("\x05ERROR\x13Invalid socket type"));
  assert.equal(log.events.length, 1);
});

test("a peer that never completes the handshake is closed after the handshake timeout", TIMEOUT, async (t) => {
  const { address, log } = await bound(t, Xpub, { handshakeTimeout: 50 });
  const peer = await RawPeer.connect(t, address);
  const drip = (async () => {
    for (const byte of GREETING) {
      if (peer.closed) return;
      peer.send(Buffer.of(byte));
      const length = peer.socket.bytesWritten;
      await until(() => peer.closed || peer.socket.bytesWritten >= length);
    }
  })();
  await until(() => peer.closed);
  await drip;
  assert.ok(log.has("closed-by-limit:handshake-timeout"));
});

test("connections over the limit are refused, and accepted again when there is room", TIMEOUT, async (t) => {
  const { address, log } = await bound(t, Xpub, { maxConnections: 2 });
  const first = await RawPeer.ready(t, address, "SUB");
  await RawPeer.ready(t, address, "SUB");
  const third = await RawPeer.connect(t, address);
  await until(() => third.closed);
  assert.ok(log.has("refused:too-many-connections"));
  first.socket.destroy();
  await until(() => log.has("disconnected:peer-closed"));
  await RawPeer.ready(t, address, "SUB");
});

test("too many and too long subscriptions end the connection, in both forms", TIMEOUT, async (t) => {
  const heard: string[] = [];
  const log = recorder();
  const options = { maxSubscriptions: 2, maxSubscriptionLength: 5, onEvent: log.onEvent };
  const xpub = closing(
    t,
    new Xpub({
      ...options,
      onSubscribe: (prefix) => heard.push(`+${prefix}`),
      onUnsubscribe: (prefix) => heard.push(`-${prefix}`),
    }),
  );
  const address = await xpub.bind(LOOPBACK);
  const cases: [string, Buffer[]][] = [
    ["too-many-subscriptions", ["a", "a", "b", "c"].map((prefix) => command("SUBSCRIBE", Buffer.from(prefix)))],
    ["too-many-subscriptions", ["a", "b", "c"].map((prefix) => encodeFrame(0, Buffer.from(`\x01${prefix}`)))],
    ["subscription-too-long", [command("SUBSCRIBE", Buffer.from("abcdef"))]],
    ["subscription-too-long", [encodeFrame(0, Buffer.from("\x01abcdef"))]],
  ];
  for (const [reason, frames] of cases) {
    const peer = await RawPeer.ready(t, address, "SUB");
    log.events.length = 0;
    peer.send(...frames);
    await until(() => peer.closed);
    assert.ok(log.has(`closed-by-limit:${reason}`));
    assert.ok(log.has(`disconnected:${reason}`));
  }
  // Each subscription that was reported is also reported as gone.
  assert.equal(xpub.hasSubscriber("a"), false);
  assert.deepEqual(heard, ["+a", "+b", "-a", "-b", "+a", "+b", "-a", "-b"]);
});

test(
  "messages over the size limit and floods of frames end the connection, what came before is delivered",
  TIMEOUT,
  async (t) => {
    const log = recorder();
    const sub = closing(t, new Sub({ maxMessageSize: 1_000, onEvent: log.onEvent }));
    const address = await sub.bind(LOOPBACK);
    sub.subscribe("");
    const big = await RawPeer.ready(t, address, "PUB");
    big.send(encodeFrame(0, Buffer.from("good")), bytes("02 FFFFFFFFFFFFFFFF"));
    assert.deepEqual((await sub.receive())?.messages.map(String), ["good"]);
    await until(() => big.closed);
    assert.ok(log.has("closed-by-limit:message-too-large"));
    const flood = await RawPeer.ready(t, address, "PUB");
    flood.send(...Array<Buffer>(100).fill(encodeFrame(FLAG_MORE, Buffer.alloc(0))));
    await until(() => flood.closed);
    assert.ok(log.has("closed-by-limit:too-many-frames"));
  },
);

test("a peer that dies in mid-frame leaves nothing of the message, and others go on", TIMEOUT, async (t) => {
  const log = recorder();
  const sub = closing(t, new Sub({ onEvent: log.onEvent }));
  const address = await sub.bind(LOOPBACK);
  sub.subscribe("");
  const [dying, living] = [await RawPeer.ready(t, address, "PUB"), await RawPeer.ready(t, address, "PUB")];
  dying.send(encodeFrame(0, Buffer.alloc(1_000)).subarray(0, 500));
  dying.socket.end();
  await until(() => log.has("disconnected:peer-closed"));
  living.send(encodeFrame(0, Buffer.from("alive")));
  assert.deepEqual((await sub.receive())?.messages.map(String), ["alive"]);
  living.socket.resetAndDestroy();
  await until(() => log.has("disconnected:connection-lost"));
});

test("a request without delimiter ends that connection only", TIMEOUT, async (t) => {
  const { address, log } = await bound(t, Rep);
  const peer = await RawPeer.ready(t, address, "DEALER");
  peer.send(encodeFrame(0, Buffer.from("no delimiter")));
  await until(() => peer.closed);
  assert.ok(log.has("protocol-error:bad-envelope"));
});

test("commands unknown to us are ignored, a malformed PING is not", TIMEOUT, async (t) => {
  const { address, log } = await bound(t, Xpub);
  const peer = await RawPeer.ready(t, address, "SUB");
  peer.send(command("NEWS", Buffer.from("x")), bytes(`04 07 04 "PING" 0000`));
  await until(() => peer.text.includes("PONG"));
  peer.send(command("PING", Buffer.alloc(30)));
  await until(() => peer.closed);
  assert.ok(log.has("protocol-error:bad-command"));
});

test("PINGs of a peer that does not read are not answered without end", TIMEOUT, async (t) => {
  const log = recorder();
  const xpub = closing(t, new Xpub({ highWaterMark: 1_000, linger: 0, onEvent: log.onEvent }));
  const address = await xpub.bind(LOOPBACK);
  const peer = await RawPeer.ready(t, address, "SUB");
  peer.socket.pause();
  peer.send(command("SUBSCRIBE", Buffer.from("t")));
  await until(() => xpub.hasSubscriber("t"));
  const sender = xpub.sender("t");
  while (sender.send(Buffer.from("t"), Buffer.alloc(100_000)) === "sent") await new Promise(setImmediate);
  peer.send(
    Buffer.concat(Array<Buffer>(10_000).fill(bytes(`04 07 04 "PING" 0000`))),
    command("SUBSCRIBE", Buffer.from("u")),
  );
  await until(() => xpub.hasSubscriber("u"));
  peer.socket.resume();
  await sender.writable();
  await sender.flushed();
  assert.equal(peer.text.includes("PONG"), false);
});

test("random bytes after the handshake never break a socket", TIMEOUT, async (t) => {
  const { address, log } = await bound(t, Xpub);
  const inputs = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 300 }), { numRuns: 100, seed: 7 });
  for (const input of inputs) {
    const peer = await RawPeer.ready(t, address, "SUB");
    peer.send(input);
    peer.socket.end();
    await until(() => peer.closed);
  }
  await until(() => log.events.filter(({ type }) => type === "disconnected").length === inputs.length);
  await RawPeer.ready(t, address, "SUB");
});

test("options that cannot be meant are refused at once", () => {
  assert.throws(() => new Sub({ maxMessageSize: 0 }), RangeError);
  assert.throws(() => new Xpub({ highWaterMark: Number.NaN }), /highWaterMark/);
});

test("waiting times for reconnecting grow from 100 ms to 10 s, with jitter", () => {
  assert.deepEqual(
    [0, 1, 2, 6, 7, 100].map((attempt) => backoff(attempt, 1)),
    [100, 200, 400, 6_400, 10_000, 10_000],
  );
  assert.equal(backoff(0, 0), 50);
});

test("a server that is not there is reported, and found when it comes", TIMEOUT, async (t) => {
  const first = new Xpub();
  const address = await first.bind(LOOPBACK);
  await first.close();
  const log = recorder();
  const sub = closing(t, new Sub({ onEvent: log.onEvent }));
  sub.subscribe("t");
  sub.connect(address);
  await until(() => log.has("connect-failed:ECONNREFUSED"));
  const second = closing(t, new Xpub());
  await second.bind(address);
  await until(() => second.hasSubscriber("t"));
  assert.ok(log.has("connected:ready"));
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { eventually, startTcpProxy } from "../src/index.ts";
import { reset } from "../src/tcp-proxy.ts";

/** A server that sends back what it gets, behind a proxy. */
async function start(t: TestContext, hear: (chunk: Buffer) => void = () => undefined) {
  const server = createServer((socket) => {
    socket.on("data", hear);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const address = server.address();
  const proxy = await startTcpProxy(t, { port: typeof address === "object" && address !== null ? address.port : 0 });
  const client = async () => {
    const socket = connect(proxy.port, proxy.host);
    const received: Buffer[] = [];
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => received.push(chunk));
    t.after(() => socket.destroy());
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    await Promise.race([new Promise<void>((resolve) => socket.once("connect", resolve)), closed]);
    return { socket, closed, text: () => Buffer.concat(received).toString() };
  };
  return { proxy, client };
}

async function echoed(socket: Socket, text: () => string, sent: string, all: string): Promise<void> {
  socket.write(sent);
  await eventually("the echo", () => text() === all);
}

test("what is sent passes both ways; nothing passes a stalled network, and all of it when it opens", async (t) => {
  const { proxy, client } = await start(t);
  const { socket, text } = await client();
  await echoed(socket, text, "one", "one");
  proxy.stall();
  socket.write("two");
  const late = await client();
  late.socket.write("late");
  for (let turns = 0; turns < 100; turns += 1) await nextTurn();
  assert.equal(text(), "one");
  assert.equal(late.text(), "");
  assert.equal(proxy.connections, 2);
  proxy.open();
  await eventually("what was held back", () => text() === "onetwo" && late.text() === "late");
});

test("a cut ends connections with an error, and may refuse new ones until it opens", async (t) => {
  const { proxy, client } = await start(t);
  const { socket, text, closed } = await client();
  await echoed(socket, text, "one", "one");
  proxy.cut({ refuse: true });
  await closed;
  const refused = await client();
  await refused.closed;
  proxy.open();
  const again = await client();
  await echoed(again.socket, again.text, "two", "two");
  assert.equal(proxy.accepted, 3);
});

test("a server may hear everything while its answers are held back", async (t) => {
  const heard: string[] = [];
  const { proxy, client } = await start(t, (chunk) => heard.push(chunk.toString()));
  const { socket, text } = await client();
  proxy.stall("server");
  socket.write("question");
  await eventually("the server has heard it", () => heard.join("") === "question");
  assert.equal(text(), "");
  proxy.open();
  await eventually("the answer", () => text() === "question");
});

test("a throttled network passes everything, piece by piece", async (t) => {
  const { proxy, client } = await start(t);
  const { socket, text } = await client();
  proxy.throttle(4_000_000);
  const sent = "x".repeat(100_000);
  const arrivals: number[] = [];
  socket.on("data", (chunk) => arrivals.push(chunk.length));
  await echoed(socket, text, sent, sent);
  assert.ok(arrivals.length > 1);
  proxy.stall();
  proxy.open();
  await echoed(socket, text, "end", `${sent}end`);
});

test("a reset ends a socket that is just ending, too", async (t) => {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.on("error", () => undefined).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  await once(socket, "connect");
  socket.end();
  process.nextTick(() => reset(socket));
  await once(socket, "close");
});

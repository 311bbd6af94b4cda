/** A TCP relay in front of the management port that counts what an app says there, byte for byte unchanged. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

export interface Recorder {
  readonly port: number;
  /** How often an app has sent a request with this action. */
  requests(action: string): number;
  /** How often the bus has answered with this status. */
  replies(status: string): number;
}

/** Relays connections to `target` on the loopback address until the test ends. */
export async function recordManagement(t: TestContext, target: number): Promise<Recorder> {
  const said = { requests: "", replies: "" };
  const sockets = new Set<Socket>();
  const server = createServer((app) => {
    const bus = connect(target, "127.0.0.1");
    app.on("data", (bytes) => (said.requests += bytes.toString("latin1")));
    bus.on("data", (bytes) => (said.replies += bytes.toString("latin1")));
    join(app, bus, sockets);
    join(bus, app, sockets);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    port: (server.address() as AddressInfo).port,
    requests: (action) => count(said.requests, new RegExp(`"action": ?"${action}"`, "g")),
    replies: (status) => count(said.replies, new RegExp(`"status": ?"${status}"`, "g")),
  };
}

/** Passes on what comes, and the end of the connection, whatever the reason: a bus that restarts resets it. */
function join(from: Socket, to: Socket, sockets: Set<Socket>): void {
  sockets.add(from);
  from.pipe(to);
  from.on("error", () => to.destroy());
  from.on("close", () => {
    sockets.delete(from);
    to.destroy();
  });
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

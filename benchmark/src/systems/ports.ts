/** Ports for programs that cannot choose their own. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";

const attempts = 100;

/**
 * The first of three neighbouring ports that are free on the loopback address at this moment.
 *
 * @throws Error when no such three are found.
 */
export async function freePorts(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const held: Server[] = [];
    try {
      const base = await hold(0, held);
      await hold(base + 1, held);
      await hold(base + 2, held);
      return base;
    } catch {
      // One of the neighbours is taken (or past the last port): look elsewhere.
    } finally {
      for (const server of held) server.close();
    }
  }
  throw new Error("found no three neighbouring free ports");
}

async function hold(port: number, held: Server[]): Promise<number> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  held.push(server);
  return (server.address() as AddressInfo).port;
}

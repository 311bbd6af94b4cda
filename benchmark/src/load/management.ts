/** The management port of a system under load, as its apps use it. */
import { Request } from "zeromq";

const host = "tcp://127.0.0.1";

/** What a subscription gets in answer. */
export interface Subscription {
  readonly topic: string;
  readonly pub_port: number;
  readonly sub_port: number;
}

/** Sends one request and gives the answer. @throws Error when none comes within ten seconds */
async function manage(managePort: number, request: object): Promise<unknown> {
  const socket = new Request({ linger: 0, receiveTimeout: 10_000 });
  socket.connect(`${host}:${managePort}`);
  try {
    await socket.send(JSON.stringify(request));
    const [reply] = await socket.receive();
    return JSON.parse(String(reply));
  } finally {
    socket.close();
  }
}

/** Subscribes to all indicators. @param snapshot also those of so many days back */
export async function subscribe(managePort: number, snapshot = 0): Promise<Subscription> {
  return (await manage(managePort, { action: "subscribe", topic: "stix2/indicator", snapshot })) as Subscription;
}

export async function unsubscribe(managePort: number, topic: string): Promise<void> {
  await manage(managePort, { action: "unsubscribe", topic });
}

/** Where to connect to. */
export function endpoint(port: number): string {
  return `${host}:${port}`;
}

/** A client beside the backbone, to look at the stream or to be somebody else. */
import type { TestContext } from "node:test";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";

export interface Other {
  readonly connection: NatsConnection;
  readonly jsm: JetStreamManager;
}

export async function other(t: TestContext, options: Parameters<typeof connect>[0]): Promise<Other> {
  const connection = await connect({ ...options, reconnect: false });
  t.after(() => connection.close());
  return { connection, jsm: await jetstreamManager(connection) };
}

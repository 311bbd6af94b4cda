import { type JetStreamClient, type JetStreamManager, jetstream } from "@nats-io/jetstream";
import { errors, type NatsConnection, type ServerInfo } from "@nats-io/transport-node";
import { messageOf } from "@threatbus/core";
import type { EnsuredConsumer } from "./consumer.ts";

/** Milliseconds for what was written last to reach the server, at the end. */
const FLUSH_TIMEOUT = 1_000;
/** Milliseconds for an answer of the server. */
const REQUEST_TIMEOUT = 5_000;

/** One connection, from its beginning to its loss. */
export class Session {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly info: ServerInfo;
  readonly connection: NatsConnection;
  /** The consumer of this instance, once somebody wants something. */
  consumer: EnsuredConsumer | undefined;
  readonly #over = new AbortController();

  private constructor(connection: NatsConnection, info: ServerInfo, jsm: JetStreamManager) {
    this.connection = connection;
    this.info = info;
    this.jsm = jsm;
    this.js = jetStreamOf(connection);
    void this.#watch();
    void this.#end();
  }

  static async over(connection: NatsConnection): Promise<Session> {
    const { info } = connection;
    if (info === undefined) throw new Error("the server did not introduce itself");
    // Without the check of the account, for which the user would need a further right.
    const jsm = await jetStreamOf(connection).jetstreamManager(false);
    return new Session(connection, info, jsm);
  }

  /** Aborted, with the reason, when the connection is lost or of no more use. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** `127.0.0.1:4222` */
  get server(): string {
    return this.connection.getServer();
  }

  /** Ends it because something does not work that a new connection may put right. */
  fail(reason: unknown): void {
    this.#over.abort(reason instanceof Error ? reason : new Error(messageOf(reason)));
  }

  /** Writes what is to be written and closes the connection; never throws. */
  async close(): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, FLUSH_TIMEOUT).unref());
    const flushed = this.connection.flush().catch(() => undefined);
    if (!this.connection.isClosed()) await Promise.race([flushed, late]);
    await this.connection.close().catch(() => undefined);
  }

  /** Errors that belong to no request: a missing right to acknowledge is one. */
  async #watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === "error" && status.error instanceof errors.PermissionViolationError) this.fail(status.error);
      if (status.type === "ldm") this.fail(new Error("the server is about to shut down"));
    }
  }

  async #end(): Promise<void> {
    const error = await this.connection.closed().catch((thrown: unknown) => thrown);
    this.fail(error instanceof Error ? error : new Error("the connection was closed"));
  }
}

function jetStreamOf(connection: NatsConnection): JetStreamClient {
  return jetstream(connection, { timeout: REQUEST_TIMEOUT });
}

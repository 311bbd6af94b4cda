import { readFile } from "node:fs/promises";
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from "@nats-io/transport-node";
import type { NatsOptions } from "./options.ts";

type NodeTlsOptions = NonNullable<NonNullable<Parameters<typeof connect>[0]>["tls"]>;

/** Milliseconds for each server to accept a connection. */
const CONNECT_TIMEOUT = 5_000;
/** A connection counts as dead when two pings in a row, so many milliseconds apart, are not answered. */
const PING_INTERVAL = 10_000;
const MAX_PINGS_OUT = 2;

/** Subject under which this instance gets answers; rights can be given for it alone. */
export function inboxOf(consumer: string): string {
  return `_INBOX_threatbus.${consumer}`;
}

/**
 * Connects to one of the servers; when the connection is lost it stays so.
 * @throws when none of them accepts it: the error of the last one
 */
export async function connectOnce(options: NatsOptions): Promise<NatsConnection> {
  const authenticator = await authenticatorOf(options);
  const { tls } = options;
  return connect({
    servers: [...options.servers],
    name: `threatbus ${options.consumer}`,
    reconnect: false,
    // They cost more than all else, and name places in the client.
    noAsyncTraces: true,
    // Servers that the cluster tells of would be tried without end when none of them can be reached.
    ignoreClusterUpdates: true,
    timeout: CONNECT_TIMEOUT,
    pingInterval: PING_INTERVAL,
    maxPingOut: MAX_PINGS_OUT,
    inboxPrefix: inboxOf(options.consumer),
    ...(authenticator === undefined ? {} : { authenticator }),
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
  });
}

/** Files are read at each connection, so that what was renewed is used. */
async function authenticatorOf(options: NatsOptions): Promise<Authenticator | undefined> {
  const { user, password, token, nkey_file, creds_file } = options;
  if (user !== undefined) return usernamePasswordAuthenticator(user, password);
  if (token !== undefined) return tokenAuthenticator(token);
  if (nkey_file !== undefined) return nkeyAuthenticator(Buffer.from((await readFile(nkey_file, "utf8")).trim()));
  if (creds_file !== undefined) return credsAuthenticator(await readFile(creds_file));
  return undefined;
}

function tlsOptions({ ca, cert, key, first }: NonNullable<NatsOptions["tls"]>): NodeTlsOptions {
  return {
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(cert === undefined ? {} : { certFile: cert }),
    ...(key === undefined ? {} : { keyFile: key }),
    handshakeFirst: first,
  };
}

import { Client } from "./client.ts";
import type { ClientOptions } from "./options.ts";
import { readOptions } from "./options.ts";

/**
 * Makes a client for one bus. Nothing is sent until the first subscribe(), publish() or onSnapshotRequest(); where the bus is
 * not there yet, those wait for it.
 * @throws ClientError INVALID_OPTIONS
 */
export function connect(options: ClientOptions = {}): Client {
  return new Client(readOptions(options));
}

import type { Client, Publishable } from "@threatbus/client";
import type { Logger } from "@threatbus/core";

/** Resolves when the bus has accepted all objects. */
export async function publishAccepted(
  client: Client,
  objects: readonly Publishable[],
  signal: AbortSignal,
  _logger: Logger,
): Promise<void> {
  if (objects.length === 0) return;
  await client.publish(objects, { signal });
  await client.flush(signal);
}

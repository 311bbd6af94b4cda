import type { ContentFilter, SubscribeOptions } from "@threatbus/client";
import { type ConnectionOptions, connectTo, interruption } from "../connection.ts";
import { CommandError, EXIT } from "../exit.ts";
import { oneLine, prettyLine } from "../message-line.ts";
import { complain, print, safe } from "../terminal.ts";
import { TOPICS } from "../topics.ts";

export interface SubscribeCommandOptions extends ConnectionOptions {
  readonly snapshot?: string;
  /** JSON text of a content filter. */
  readonly filter?: string;
  readonly format?: "json" | "pretty";
  readonly count?: number;
}

/**
 * `threatbus subscribe`: prints messages until interrupted, or until there were `count`.
 * @throws ClientError when the bus cannot be reached or refuses, or for a wrong option (exit code 2); CommandError (2)
 *   for a filter that is not JSON
 */
export async function subscribe(topics: readonly string[], options: SubscribeCommandOptions): Promise<void> {
  const signal = interruption();
  for (const topic of topics) {
    if (TOPICS.some((each) => each.startsWith(topic))) continue;
    complain(safe(`warning: no message has a topic that begins with "${topic}" (there are ${TOPICS.join(", ")})`));
  }
  const pretty = (options.format ?? (process.stdout.isTTY ? "pretty" : "json")) === "pretty";
  const client = connectTo(options, "threatbus subscribe", signal);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  try {
    const messages = client.subscribe(topics, settingsOf(options));
    for await (const message of messages) {
      await print(pretty ? prettyLine(message.object, Date.now()) : oneLine(message.bytes));
      left -= 1;
      if (left <= 0) break;
    }
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  } finally {
    await client.close();
  }
  // Without a count, being interrupted is how this command ends.
  if (left > 0 && options.count !== undefined) process.exitCode = EXIT.interrupted;
}

function settingsOf({ snapshot, filter }: SubscribeCommandOptions): SubscribeOptions {
  return {
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(filter === undefined ? {} : { filter: parseFilter(filter) }),
    onGap: ({ since, reason }) => complain(`messages since ${since.toISOString()} may be missing: ${reason}`),
    onUndecodable: ({ reason, detail }) => complain(safe(`a message could not be read: ${reason}, ${detail}`)),
    onStateChange: (state) => {
      if (process.stderr.isTTY) complain(`subscription: ${state}`);
    },
  };
}

/** The client checks what the filter says. */
function parseFilter(text: string): ContentFilter {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CommandError(`--filter is not JSON: ${safe(String(cause))}`, EXIT.usage, cause);
  }
}

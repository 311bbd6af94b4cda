import type { ContentFilter, Gap, SubscribeOptions } from "@threatbus/client";
import { CommandError, EXIT } from "@threatbus/core/process";
import { type ConnectionOptions, connectTo, interruption } from "../connection.ts";
import { oneLine, prettyLine } from "../message-line.ts";
import { parseStart } from "../start.ts";
import { complain, print, safe } from "../terminal.ts";
import { TOPICS } from "../topics.ts";

export interface SubscribeCommandOptions extends ConnectionOptions {
  readonly snapshot?: string;
  /** Position, "earliest", "latest", time, or time ago. */
  readonly from?: string;
  readonly positionFile?: string;
  /** JSON text of a content filter. */
  readonly filter?: string;
  readonly format?: "json" | "pretty";
  readonly count?: number;
}

/**
 * `threatbus subscribe`: prints messages until interrupted, or until there were `count`.
 * @throws ClientError when the bus cannot be reached or refuses, or for a wrong option (exit code 2) or position file;
 *   CommandError (2) for a filter that is not JSON, or a start that is none
 */
export async function subscribe(topics: readonly string[], options: SubscribeCommandOptions): Promise<void> {
  const signal = interruption();
  for (const topic of topics) {
    if (TOPICS.some((each) => each.startsWith(topic))) continue;
    complain(safe(`warning: no message has a topic that begins with "${topic}" (there are ${TOPICS.join(", ")})`));
  }
  const settings = settingsOf(options);
  const pretty = (options.format ?? (process.stdout.isTTY ? "pretty" : "json")) === "pretty";
  const client = connectTo(options, "threatbus subscribe", signal);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  try {
    const messages = client.subscribe(topics, {
      ...settings,
      onStateChange: (state) => {
        if (process.stderr.isTTY) complain(`subscription: ${state}`);
        if (state === "live" && !messages.resumable && options.positionFile !== undefined) complain(NO_POSITIONS);
      },
    });
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

const NO_POSITIONS =
  "warning: the bus tells no positions (its durable log is off, or it is an older one): nothing is kept in the position file";

function settingsOf({ snapshot, from, positionFile, filter }: SubscribeCommandOptions): SubscribeOptions {
  return {
    ...(from === undefined ? {} : { from: parseStart(from, Date.now()) }),
    ...(positionFile === undefined ? {} : { positionFile }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(filter === undefined ? {} : { filter: parseFilter(filter) }),
    onGap: (gap) => complain(describeGap(gap)),
    onPositionError: ({ message }) => complain(safe(message)),
    onUndecodable: ({ reason, detail }) => complain(safe(`a message could not be read: ${reason}, ${detail}`)),
  };
}

function describeGap({ since, reason, missed }: Gap): string {
  switch (reason) {
    case "expired":
      return `messages are missing: the bus no longer has what came behind the position asked for (at most ${missed})`;
    case "other-log":
      return "messages may be missing: the bus has another durable log than the one that the position belongs to";
    case "no-log":
      return "messages may be missing: the bus has no durable log to begin in, or is an older one";
    default:
      return `messages since ${since?.toISOString() ?? "the last time"} may be missing: ${reason}`;
  }
}

/** The client checks what the filter says. */
function parseFilter(text: string): ContentFilter {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CommandError(`--filter is not JSON: ${safe(String(cause))}`, EXIT.usage, cause);
  }
}

/**
 * An app plugin that a test drives: a line `{"first": 1, "count": 100}` on standard input makes it publish that many
 * indicators, numbered in `x_order`, and after each put it writes `accepted FIRST LAST TIME` to standard output, where
 * TIME is when the put resolved (ms since the epoch).
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { type AppContext, type AppPluginDefinition, duration, type StixMessage } from "@threatbus/core";
import { parseStix } from "@threatbus/stix";

/** What a test asks for. */
export interface Order {
  readonly first: number;
  readonly count: number;
  /** Messages of one put at most; default 50. */
  readonly most?: number;
  /** Length of a text that makes them larger; default 0. */
  readonly padding?: number;
  /** Milliseconds of a pause after every fifth put or so; default 0: as fast as it goes. */
  readonly pause?: number;
}

/** What the pipe has not taken yet. */
let unsaid = "";

/** Writes at once if the pipe takes it, so that a line is out before a kill, and never makes the bus wait. */
function say(text: string): void {
  const isWaiting = unsaid !== "";
  unsaid += text;
  if (!isWaiting) write();
}

function write(): void {
  try {
    while (unsaid !== "") unsaid = unsaid.slice(writeSync(1, unsaid));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    setTimeout(write, 1);
  }
}

async function publish(context: AppContext, { first, count, most = 50, padding = 0, pause = 0 }: Order): Promise<void> {
  const description = "x".repeat(padding);
  for (let next = first; next < first + count && !context.signal.aborted; ) {
    const size = Math.min(1 + Math.floor(Math.random() * most), first + count - next);
    const messages = Array.from({ length: size }, (_, index) => numbered(context, next + index, description));
    const [only] = messages;
    if (size === 1 && only !== undefined) await context.inq.put(only, context.signal);
    else await context.inq.putMany(messages, context.signal);
    say(`accepted ${next} ${next + size - 1} ${Date.now()}\n`);
    next += size;
    // What promises alone do would keep sockets and timers from their turn.
    if (Math.random() < 0.2) await (pause > 0 ? sleep(pause) : nextTurn());
  }
}

function numbered({ messages }: AppContext, number: number, description: string): StixMessage {
  const parsed = parseStix(
    Buffer.from(
      JSON.stringify({
        type: "indicator",
        spec_version: "2.1",
        id: `indicator--00000000-0000-4000-8000-${`${number}`.padStart(12, "0")}`,
        created: "2026-01-02T03:04:05.123Z",
        modified: "2026-01-02T03:04:05.123Z",
        pattern: `[domain-name:value = 'd${number}.example']`,
        pattern_type: "stix",
        pattern_version: "2.1",
        valid_from: "2026-01-02T03:04:05Z",
        x_order: number,
        ...(description === "" ? {} : { description }),
      }),
    ),
  );
  if (!parsed.ok) throw new Error(`indicator ${number} is invalid: ${JSON.stringify(parsed)}`);
  return messages.stix(parsed.value);
}

const definition: AppPluginDefinition = {
  kind: "app",
  name: "numbered",
  description: "Publishes numbered indicators when a test says so",
  // Any schema of an empty section.
  configSchema: duration("1s")
    .transform(() => ({}))
    .catch(() => ({})),
  create() {
    const lines = createInterface({ input: process.stdin });
    return {
      async run(context) {
        lines.on("line", (line) => {
          publish(context, JSON.parse(line) as Order).catch((error: unknown) => {
            if (!context.signal.aborted) context.logger.error({ error: String(error) }, "publishing failed");
          });
        });
        return [];
      },
      async stopIntake() {
        lines.close();
      },
      async stop() {},
    };
  },
};

export default definition;

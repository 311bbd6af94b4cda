import type { ConnectorCommand } from "@threatbus/connector";
import { createLogger, standardError } from "@threatbus/core";
import { CommandError, EXIT, firstSignal } from "@threatbus/core/process";
import { z } from "zod";
import { OpenctiError } from "../graphql/index.ts";
import { Loops } from "../loops.ts";
import type { Settings } from "../options.ts";
import { createAgent } from "../stream/agent.ts";
import { Delivery } from "./delivery.ts";
import { type ReplayResult, replay, type Survey, survey } from "./replay.ts";
import { createApi } from "./start.ts";

const optionsSchema = z.object({ dryRun: z.boolean().default(false) });

/** `threatbus-opencti replay dead-letters.jsonl` */
export const replayCommand: ConnectorCommand<Settings> = {
  name: "replay",
  define: (command) => {
    command
      .argument("<file>", "a file of dead letters")
      .description("send what OpenCTI has refused again; what it refuses still is kept in <file>.remaining")
      .option("--dry-run", "only say what is in the file");
  },
  run: async (settings, [file = ""], options) => {
    const { dryRun } = optionsSchema.parse(options);
    const found = await survey(file);
    process.stdout.write(describe(file, found));
    if (dryRun || found.total === 0) return;
    const result = await send(settings, file, found);
    const { written, unchanged, remaining } = result;
    process.stdout.write(`${written} written, ${unchanged} need nothing any more, ${remaining} remain\n`);
    if (remaining > 0) throw new CommandError(whatRemains(result), EXIT.failure);
  },
};

async function send(settings: Settings, file: string, { total }: Survey): Promise<ReplayResult> {
  const logging = createLogger({
    config: settings.logging,
    cwd: process.cwd(),
    env: process.env,
    console: standardError(),
    onFatal: () => process.exit(EXIT.failure),
  });
  const dispatcher = await createAgent(settings.opencti);
  const interrupted = new AbortController();
  void firstSignal().then(() => interrupted.abort());
  try {
    const api = createApi(settings, dispatcher);
    const delivery = new Delivery({ api, loops: new Loops(), logger: logging.logger, settings });
    const onProgress = (done: number): void => void process.stderr.write(`${done} of ${total}\n`);
    return await replay(file, { delivery, onProgress }, interrupted.signal);
  } catch (error) {
    if (!(error instanceof OpenctiError)) throw error;
    throw new CommandError(`nothing was sent, the file is as it was: ${error.message}`, EXIT.failure, error);
  } finally {
    await dispatcher.destroy();
    logging.close();
  }
}

function describe(file: string, { total, unreadable, byReason }: Survey): string {
  const lines = [...byReason].map(([reason, count]) => `  ${count} ${reason}\n`);
  const bad = unreadable === 0 ? "" : `  ${unreadable} cannot be read\n`;
  return `${file}: ${total} dead letters\n${lines.join("")}${bad}`;
}

function whatRemains({ file, stopped, remaining }: ReplayResult): string {
  const why = stopped === undefined ? "" : `the replay stopped: ${stopped}; `;
  return `${why}${remaining} dead letters are in ${file}`;
}

import { stat } from "node:fs/promises";
import { EXIT } from "@threatbus/core/process";
import { type ConnectionOptions, connectTo, interruption } from "../connection.ts";
import { readCandidates, readInput } from "../input.ts";
import { Progress } from "../progress.ts";
import { complain } from "../terminal.ts";
import { check, rejection } from "../verdict.ts";

/**
 * `threatbus publish`: valid objects go out, each refused one is reported with its line; exit code 1 when there was any.
 * @throws CommandError when the file cannot be read; ClientError when the bus cannot be reached
 */
export async function publish(file: string, options: ConnectionOptions): Promise<void> {
  const signal = interruption();
  // A wait for input that does not come ends too.
  signal.addEventListener("abort", () => process.stdin.destroy());
  const size = file === "-" ? undefined : (await stat(file).catch(() => undefined))?.size;
  const progress = new Progress({ total: size });
  const client = connectTo(options, "threatbus publish", signal);
  let read = 0;
  let published = 0;
  let rejected = 0;
  try {
    const source = readInput(file, (count) => {
      read += count;
    });
    for await (const candidate of readCandidates(source)) {
      if (signal.aborted) break;
      const checked = check(candidate);
      if (checked.ok) published += await client.publish(checked.parsed);
      else {
        rejected += 1;
        progress.clear();
        complain(rejection(checked.line, checked.error));
      }
      progress.update(read, published);
    }
    if (published > 0) await client.flush();
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  } finally {
    progress.clear();
    await client.close();
  }
  const lost = client.stats.dropped;
  if (process.stderr.isTTY || rejected > 0) complain(`${published} published, ${rejected} rejected`);
  if (lost > 0) complain(`${lost} were lost when a connection broke`);
  if (rejected > 0 || lost > 0) process.exitCode = EXIT.failure;
  if (signal.aborted) process.exitCode = EXIT.interrupted;
}

import { startCommand } from "@threatbus/connector";
import type { Settings } from "./options.ts";

/** What is needed of the settings to ask the tool. */
export type ToolSettings = Pick<Settings, "log_file" | "max_matches" | "timeout">;

/**
 * Asks the tool: yields what it has seen of a value, one line for each event. Here the tool is `grep`.
 * @throws Error when the tool cannot be asked; the reason of the signal
 */
export async function* eventsWith(value: string, settings: ToolSettings, signal: AbortSignal): AsyncGenerator<string> {
  const { log_file: file, max_matches: most, timeout } = settings;
  const args = ["--fixed-strings", "--word-regexp", `--max-count=${most}`, "--regexp", value, "--", file];
  const command = await startCommand({ program: "grep", args, timeout, signal, maxLineBytes: 65_536 });
  yield* command.lines;
  const { code, timedOut, errorText } = await command.ended;
  signal.throwIfAborted();
  if (timedOut) throw new Error(`searching ${file} took longer than ${timeout} ms`);
  // 1: nothing was found.
  if (code !== 0 && code !== 1) throw new Error(`searching ${file} failed: ${errorText}`);
}

import { EXIT } from "@threatbus/core/process";
import { checkLog } from "@threatbus/store";
import { print, safe, styled } from "../../terminal.ts";
import { type LogOptions, withPath } from "./open.ts";

/** `threatbus log check`: exit code 1 when there are problems. @throws StoreError when the log cannot be opened */
export async function checkFile(options: LogOptions & { readonly json?: boolean }): Promise<void> {
  const { path, ok, problems } = await withPath(options, async (path) => ({ path, ...(await checkLog(path)) }));
  if (!ok) process.exitCode = EXIT.failure;
  if (options.json) return await print(JSON.stringify({ path, ok, problems }));
  if (ok) return await print(`${safe(path)}: ${styled("green", "no problems")}`);
  await print(`${safe(path)}: ${styled("red", "problems")}; nothing was changed`);
  for (const problem of problems) await print(`  ${safe(problem)}`);
}

import { EXIT } from "@threatbus/core/process";
import { readCandidates, readInput } from "../input.ts";
import { complain, print, safe, styled } from "../terminal.ts";
import { check, rejection, verdictJson } from "../verdict.ts";

/** `threatbus validate`: exit code 1 when any object was refused. */
export async function validate(file: string, options: { readonly jsonl?: boolean }): Promise<void> {
  let accepted = 0;
  let rejected = 0;
  for await (const candidate of readCandidates(readInput(file))) {
    const checked = check(candidate);
    if (checked.ok) accepted += 1;
    else rejected += 1;
    if (options.jsonl) await print(verdictJson(checked));
    else if (checked.ok) {
      const { type, object } = checked.parsed;
      await print(`line ${checked.line}: ${styled("green", "accepted")} ${type} ${safe(object.id)}`);
    } else await print(`${styled("red", "rejected")} ${rejection(checked.line, checked.error)}`);
  }
  if (process.stderr.isTTY) complain(`${accepted} accepted, ${rejected} rejected`);
  if (rejected > 0) process.exitCode = EXIT.failure;
}

/** Debian packages that tests and benchmarks need, installed where that is possible. */
import { existsSync } from "node:fs";
import { run } from "./run-command.ts";

let updated = false;

/**
 * Installs Debian packages with apt-get, after one `apt-get update` per process.
 *
 * @throws Error saying what to install by hand, when this is not Debian, the user is not root, or apt-get fails.
 */
export async function aptInstall(packages: readonly string[], say: (line: string) => void): Promise<void> {
  const byHand = `install ${packages.join(" ")} (Debian: apt-get install ${packages.join(" ")})`;
  if (!existsSync("/usr/bin/apt-get")) throw new Error(`there is no apt-get here: ${byHand}`);
  if (process.getuid?.() !== 0) throw new Error(`not root, so nothing can be installed here: ${byHand}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  if (!updated) {
    say("apt-get update");
    await retried("apt-get", ["update"], env);
    updated = true;
  }
  say(`apt-get install ${packages.join(" ")}`);
  const failure = await retried("apt-get", ["install", "-y", "--no-install-recommends", ...packages], env);
  if (failure !== undefined) throw new Error(`apt-get install failed: ${byHand}\n${failure}`);
}

/** Two attempts; what the last printed when both failed. */
async function retried(program: string, args: string[], env: Record<string, string>): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    const result = await run(program, args, { env, timeout: 600_000 });
    if (result.code === 0) return undefined;
    if (attempt === 2) return result.output;
  }
}

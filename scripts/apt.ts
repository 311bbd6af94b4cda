/** Debian packages that tests and benchmarks need, installed where that is possible. */
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./run-command.ts";

let updated = false;

/**
 * Installs Debian packages with apt-get, after one `apt-get update` per process. Servers among them are not started.
 *
 * @throws Error saying what to install by hand, when this is not Debian, the user is not root, or apt-get fails.
 */
export async function aptInstall(
  packages: readonly string[],
  say: (line: string) => void,
  options: readonly string[] = [],
): Promise<void> {
  const byHand = `install ${packages.join(" ")} (Debian: apt-get install ${packages.join(" ")})`;
  if (!existsSync("/usr/bin/apt-get")) throw new Error(`there is no apt-get here: ${byHand}`);
  if (process.getuid?.() !== 0) throw new Error(`not root, so nothing can be installed here: ${byHand}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  if (!updated && options.length === 0) {
    say("apt-get update");
    await retried("apt-get", ["update"], env);
    updated = true;
  }
  say(`apt-get install ${packages.join(" ")}`);
  const args = [...options, "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", ...packages];
  const failure = await withoutServices(() => retried("apt-get", args, env));
  if (failure !== undefined) throw new Error(`apt-get install failed: ${byHand}\n${failure}`);
}

/**
 * The same for packages that are only in the backports of this Debian release. Its sources stay as they are: the
 * backports are known to this installation alone.
 */
export async function aptInstallBackports(packages: readonly string[], say: (line: string) => void): Promise<void> {
  const format = "$(REPO_URI) $(CODENAME) $(CREATED_BY)";
  const known = existsSync("/usr/bin/apt-get") ? await run("apt-get", ["indextargets", "--format", format]) : undefined;
  const release = /^(\S+) ([a-z]+) Packages$/m.exec(known?.output ?? "");
  if (release === null) return aptInstall(packages, say);
  const [, archive, name] = release;
  const folder = await mkdtemp(join(tmpdir(), "threatbus-apt-"));
  try {
    const list = join(folder, "backports.list");
    await writeFile(list, `deb ${archive} ${name}-backports main\n`);
    const options = ["-o", `Dir::Etc::sourcelist=${list}`, "-o", "DPkg::Lock::Timeout=300"];
    say(`apt-get update, with ${name}-backports`);
    await retried("apt-get", [...options, "update"], { DEBIAN_FRONTEND: "noninteractive" });
    await aptInstall(packages, say, [...options, "-t", `${name}-backports`]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What Debian asks before it starts a server that was just installed (invoke-rc.d(8)); 101 forbids it. */
const POLICY = "/usr/sbin/policy-rc.d";

/** A server of a package would listen on its usual port, which is nobody's wish here. A policy that is there stays. */
async function withoutServices<T>(install: () => Promise<T>): Promise<T> {
  if (existsSync(POLICY)) return install();
  await writeFile(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return await install();
  } finally {
    await rm(POLICY, { force: true });
  }
}

/** Two attempts; what the last printed when both failed. */
async function retried(program: string, args: string[], env: Record<string, string>): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    const result = await run(program, args, { env, timeout: 600_000 });
    if (result.code === 0) return undefined;
    if (attempt === 2) return result.output;
  }
}

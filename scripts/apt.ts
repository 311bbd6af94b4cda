/** Debian packages that tests and benchmarks need, installed where that is possible. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withLock } from "./python/lock.ts";
import { run } from "./run-command.ts";

/** One for the machine: apt-get has one state, whichever checkout it is called from. */
const lockFile = join(tmpdir(), "threatbus-apt.lock");
/** Milliseconds for one attempt: the index of a release, and some 30 MB of packages, over a slow line. */
const updateTimeout = 120_000;
const installTimeout = 240_000;
/** Another program's dpkg is waited for; a mirror that does not answer is not. */
const bounds = ["-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"];
/** Without it an index that cannot be fetched is a warning. */
const strictUpdate = ["-o", "APT::Update::Error-Mode=any", "update"];
const sourceList = "/etc/apt/sources.list";
/** What Debian's maintainer scripts ask before they start a service (invoke-rc.d(8)); 101 is "no". */
const servicePolicy = "/usr/sbin/policy-rc.d";

type Say = (line: string) => void;

/**
 * Installs Debian packages with apt-get, after one `apt-get update` per process. Services in them are not started.
 *
 * @throws Error saying what to install by hand, when this is not Debian, the user is not root, or apt-get fails.
 */
export function aptInstall(packages: readonly string[], say: Say): Promise<void> {
  const byHand = `install ${packages.join(" ")} (Debian: apt-get install ${packages.join(" ")})`;
  return asRoot(byHand, async () => {
    const failed = await update(say);
    await install(packages, say, { byHand, failed });
  });
}

/**
 * The same for packages that are only in the backports of this Debian release. Its sources stay as they are: the
 * backports are known to this installation alone.
 */
export function aptInstallBackports(packages: readonly string[], say: Say): Promise<void> {
  const names = packages.join(" ");
  return asRoot(`install ${names} from the backports of this Debian release`, async () => {
    // Without the indexes, as in a new container, apt does not know which release this is.
    const before = (await debianRelease()) === undefined ? await update(say) : undefined;
    const release = await debianRelease();
    if (release === undefined) {
      const byHand = `install ${names} (nothing is known here of a Debian release and its backports)`;
      return install(packages, say, { byHand, failed: before });
    }
    const { archive, name } = release;
    const byHand = `install ${names} (with ${archive} ${name}-backports main as a source: apt-get install -t ${name}-backports ${names})`;
    const folder = await mkdtemp(join(tmpdir(), "threatbus-apt-"));
    try {
      const list = join(folder, "backports.list");
      // It is read in the place of the machine's own list, beside the folder of further lists.
      const own = await readFile(sourceList, "utf8").catch(() => "");
      await writeFile(list, `${own}\ndeb ${archive} ${name}-backports main\n`);
      const options = ["-o", `Dir::Etc::sourcelist=${list}`];
      say(`apt-get update, with ${name}-backports`);
      const failed = await retried([...options, ...strictUpdate], updateTimeout);
      await install(packages, say, { byHand, failed, options: [...options, "-t", `${name}-backports`] });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** One at a time: apt-get itself does not wait for the lock of its lists. */
async function asRoot(byHand: string, task: () => Promise<void>): Promise<void> {
  if (!existsSync("/usr/bin/apt-get")) throw new Error(`there is no apt-get here: ${byHand}`);
  if (process.getuid?.() !== 0) throw new Error(`not root, so nothing can be installed here: ${byHand}`);
  await withLock(lockFile, task);
}

/** Where this release of Debian comes from, and what it is called; undefined: not Debian, or nothing is known yet. */
async function debianRelease(): Promise<{ readonly archive: string; readonly name: string } | undefined> {
  const format = "$(ORIGIN) $(REPO_URI) $(CODENAME) $(CREATED_BY)";
  const { output } = await run("apt-get", ["indextargets", "--format", format]);
  const [, archive, name] = /^Debian (\S+) ([a-z]+) Packages$/m.exec(output) ?? [];
  return archive === undefined || name === undefined ? undefined : { archive, name };
}

let updated = false;

/** @returns what apt-get printed where it failed: the indexes that are there may do all the same */
async function update(say: Say): Promise<string | undefined> {
  if (updated) return undefined;
  say("apt-get update");
  const failed = await retried(strictUpdate, updateTimeout);
  updated = failed === undefined;
  return failed;
}

interface Installation {
  readonly byHand: string;
  /** What the update before it failed with. */
  readonly failed: string | undefined;
  readonly options?: readonly string[];
}

async function install(packages: readonly string[], say: Say, installation: Installation): Promise<void> {
  const { byHand, failed, options = [] } = installation;
  say(`apt-get install ${packages.join(" ")}`);
  const hasPolicy = existsSync(servicePolicy);
  if (!hasPolicy) await writeFile(servicePolicy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const args = [...options, "install", "-y", "--no-install-recommends", ...packages];
    const failure = await retried(args, installTimeout);
    if (failure === undefined) return;
    const earlier = failed === undefined ? "" : `\napt-get update had failed before:\n${failed.slice(-4_000)}`;
    throw new Error(`apt-get install failed: ${byHand}\n${failure.slice(-4_000)}${earlier}`);
  } finally {
    if (!hasPolicy) await rm(servicePolicy, { force: true });
  }
}

/** Two attempts; what the last printed when both failed. */
async function retried(args: readonly string[], timeout: number): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const result = await run("apt-get", [...bounds, ...args], { env, timeout });
    if (result.code === 0) return undefined;
    if (attempt === 2)
      return result.code === 124 ? `no end within ${timeout / 1_000} s\n${result.output}` : result.output;
  }
}

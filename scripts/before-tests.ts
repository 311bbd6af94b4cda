/**
 * What comes before the tests in `npm test`, side by side: the types, the lint, and the programs that tests need.
 *
 *   node scripts/before-tests.ts       exits with 1 when the types or the lint are wrong
 *
 * A program that cannot be had here is a warning, and the tests that need it are skipped by name; with CI=true it is an error.
 */
import { ensurePython } from "./python/install.ts";
import { run } from "./run-command.ts";
import { installNats } from "./services/nats.ts";
import { installRabbitmq } from "./services/rabbitmq.ts";

type Say = (line: string) => void;

/** Milliseconds; a busy machine is slow. */
const PATIENCE = 900_000;

interface Step {
  readonly name: string;
  /** A failure only means that some tests are skipped. */
  readonly optional: boolean;
  readonly run: (say: Say) => Promise<void>;
}

const STEPS: readonly Step[] = [
  { name: "types", optional: false, run: () => script("typecheck") },
  { name: "lint", optional: false, run: () => script("lint") },
  { name: "python", optional: true, run: ensurePython },
  { name: "rabbitmq", optional: true, run: installRabbitmq },
  { name: "nats", optional: true, run: installNats },
];

const results = await Promise.all(STEPS.map(take));
if (results.includes(false)) process.exitCode = 1;

/** @returns false when the tests cannot go on */
async function take({ name, optional, run }: Step): Promise<boolean> {
  const say: Say = (line) => console.log(`${name}: ${line}`);
  try {
    await run(say);
    say("ready");
    return true;
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    return optional && process.env.CI !== "true";
  }
}

/** Runs a script of package.json. @throws Error with what it printed when it fails */
async function script(name: string): Promise<void> {
  const { code, output } = await run("npm", ["run", "--silent", name], { timeout: PATIENCE });
  if (code !== 0) throw new Error(`npm run ${name} failed:\n${output}`);
}

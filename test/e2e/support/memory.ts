import { readFile } from "node:fs/promises";
import type { TestContext } from "node:test";

/** Resident memory of a process (proc(5), VmRSS). */
export async function residentMebibytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

/** Milliseconds between two looks at the memory. */
const INTERVAL = 100;

/** The most resident memory that a process has had while the test looked, in mebibytes. */
export class MemoryWatch {
  peak = 0;

  constructor(t: TestContext, pid: number) {
    const look = async (): Promise<void> => {
      this.peak = Math.max(this.peak, await residentMebibytes(pid));
    };
    // The process may have ended: then there is nothing to see.
    const timer = setInterval(() => void look().catch(() => undefined), INTERVAL);
    t.after(() => clearInterval(timer));
  }
}

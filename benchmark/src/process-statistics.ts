/** What the kernel says of a process (Linux, /proc). */
import { readFileSync } from "node:fs";

/** Clock ticks a second in /proc/PID/stat: always 100 on Linux, whatever the kernel's own clock. */
const ticksPerSecond = 100;

/** Resident memory of a process in MiB. */
function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kib === undefined) throw new Error(`/proc/${pid}/status has no VmRSS`);
  return Number(kib) / 1024;
}

/** Processor time that a process and its threads have used since its start, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The fields after the program's name, which may itself contain spaces and parentheses (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Samples of a process's resident memory, ten a second, until it is stopped. */
export class MemoryWatch {
  readonly #pid: number;
  readonly #samples: number[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#sample(), 100);
    this.#sample();
  }

  /** Ends the sampling; the highest sample and the mean of the last second, in MiB. */
  stop(): { readonly highest: number; readonly last: number } {
    clearInterval(this.#timer);
    this.#sample();
    const end = this.#samples.slice(-10);
    return { highest: Math.max(...this.#samples), last: end.reduce((total, mib) => total + mib, 0) / end.length };
  }

  #sample(): void {
    this.#samples.push(residentMiB(this.#pid));
  }
}

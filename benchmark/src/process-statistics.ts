/** What the kernel says of a process (Linux, /proc). */
import { readFileSync } from "node:fs";
import { sum } from "./statistics.ts";

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

/** Resident memory over some time, in MiB. */
export interface Memory {
  readonly highest: number;
  /** Mean of the last second. */
  readonly last: number;
}

/** Samples a process's resident memory, ten times a second, while `task` runs. */
export async function watchMemory<T>(
  pid: number,
  task: () => Promise<T>,
): Promise<{ readonly result: T; readonly memory: Memory }> {
  const samples: number[] = [];
  const sample = () => void samples.push(residentMiB(pid));
  const timer = setInterval(sample, 100);
  sample();
  try {
    const result = await task();
    sample();
    const end = samples.slice(-10);
    return { result, memory: { highest: Math.max(...samples), last: sum(end) / end.length } };
  } finally {
    clearInterval(timer);
  }
}

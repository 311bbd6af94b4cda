/** The results as a table for a terminal. */
import { type Bar, reached } from "../benchmark.ts";
import type { Entry, Report } from "./results.ts";

/** Three digits for small values, none after the point for large ones. */
export function number(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(3);
}

export function table(report: Report): string {
  const rows = report.benchmarks.flatMap(rowsOf);
  const head = ["id", "what", "measured", "bar", ""];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const lines = [head, widths.map((width) => "-".repeat(width)), ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const { processor, cores, memoryGiB } = report.machine;
  lines.push("", `${processor}, ${cores} cores, ${memoryGiB} GiB; Node ${report.node}; load: ${report.load}`);
  if (report.quick) lines.push("A quick run: sizes are too small for the figures to mean much.");
  return lines.join("\n");
}

function rowsOf({ id, title, result, error }: Entry): string[][] {
  if (result === undefined) return [[id, title, "could not run", "", (error ?? "").split("\n")[0] ?? ""]];
  const bars = result.bars.map((bar) => [
    "",
    bar.what,
    unit(bar.value, bar),
    limit(bar),
    reached(bar) ? "ok" : "MISSED",
  ]);
  const figures = result.figures.map((figure) => ["", `  ${figure.what}`, unit(figure.value, figure), "", ""]);
  return [[id, title, "", "", ""], ...bars, ...figures];
}

function unit(value: number, { unit }: { unit: string }): string {
  return `${number(value)} ${unit}`.trimEnd();
}

function limit(bar: Bar): string {
  return bar.limit === 0 ? "none" : `${bar.kind} ${unit(bar.limit, bar)}`;
}

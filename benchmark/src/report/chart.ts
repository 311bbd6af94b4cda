/** The results as an SVG chart: each bar of the table as a part of what it had to reach. */
import { type Bar, reached } from "../benchmark.ts";
import type { Report } from "./results.ts";
import { number } from "./table.ts";

const width = 900;
const left = 380;
const right = 150;
const rowHeight = 26;
const top = 64;
/** The axis is logarithmic, from a tenth of the bar to ten times as good. */
const decades = 1;

interface Row {
  readonly label: string;
  readonly value: string;
  /** How good: 1 exactly at the bar, 2 twice as good, 0.5 half as good. */
  readonly score: number;
  readonly reached: boolean;
}

export function chart(report: Report): string {
  const rows = report.benchmarks.flatMap(({ id, result }) =>
    // Losses are a count, not a ratio: the table has them.
    (result?.bars ?? []).filter((bar) => bar.limit !== 0).map((bar) => row(id, bar)),
  );
  const height = top + rows.length * rowHeight + 34;
  const title = `Threat Bus: measured against its bars, ${report.date.slice(0, 10)}${report.quick ? " (quick run)" : ""}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="16" y="26" font-size="16" fill="#1b1f24">${escapeXml(title)}</text>`,
    ...axis(height),
    ...rows.map(drawRow),
    "</svg>",
    "",
  ].join("\n");
}

function row(id: string, bar: Bar): Row {
  // Nothing measured, or less than nothing (memory that shrank), is as good as the axis shows.
  const score = bar.kind === "at least" ? bar.value / bar.limit : bar.value > 0 ? bar.limit / bar.value : Infinity;
  const value = `${number(bar.value)} ${bar.unit} (${number(bar.limit)})`;
  return { label: `${id}  ${bar.what}`, value, score, reached: reached(bar) };
}

/** Where a score lies on the axis. */
function position(score: number): number {
  const clamped = Math.min(decades, Math.max(-decades, Math.log10(Math.max(score, Number.MIN_VALUE))));
  return left + ((clamped + decades) / (2 * decades)) * (width - left - right);
}

function axis(height: number): string[] {
  return [0.1, 0.2, 0.5, 1, 2, 5, 10].flatMap((score) => {
    const x = position(score).toFixed(1);
    const colour = score === 1 ? "#1b1f24" : "#d0d7de";
    const label = score === 1 ? "the bar" : `${score} x`;
    return [
      `<line x1="${x}" y1="${top - 8}" x2="${x}" y2="${height - 26}" stroke="${colour}"/>`,
      `<text x="${x}" y="${top - 14}" text-anchor="middle" fill="#57606a">${label}</text>`,
    ];
  });
}

function drawRow({ label, value, score, reached }: Row, i: number): string {
  const y = top + i * rowHeight;
  const [from, to] = [position(1), position(score)];
  const x = Math.min(from, to).toFixed(1);
  const length = Math.max(2, Math.abs(to - from)).toFixed(1);
  return [
    `<text x="${left - 12}" y="${y + 15}" text-anchor="end" fill="#1b1f24">${escapeXml(label)}</text>`,
    `<rect x="${x}" y="${y + 4}" width="${length}" height="${rowHeight - 10}" fill="${reached ? "#2da44e" : "#cf222e"}"/>`,
    `<text x="${width - right + 12}" y="${y + 15}" fill="#1b1f24">${escapeXml(value)}</text>`,
  ].join("\n");
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

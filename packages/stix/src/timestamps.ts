export function parseTimestamp(_text: string): bigint | undefined {
  throw new Error("provisional");
}
export function formatTimestamp(_micros: bigint, _precision: "millisecond" | "any"): string {
  throw new Error("provisional");
}

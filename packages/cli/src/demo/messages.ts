import { z } from "zod";

/** What the processes of the demo tell the one that started them. */
const reportSchema = z.discriminatedUnion("event", [
  /** A line for the person who watches. */
  z.strictObject({ event: z.literal("said"), text: z.string() }),
  /** The platform listens for sightings and answers snapshot requests. */
  z.strictObject({ event: z.literal("listening") }),
  /** The sensor has received one indicator. */
  z.strictObject({ event: z.literal("indicator") }),
  /** The platform has received one sighting. */
  z.strictObject({ event: z.literal("sighting") }),
]);
export type Report = z.output<typeof reportSchema>;

/** @throws ZodError for anything else */
export function parseReport(message: unknown): Report {
  return reportSchema.parse(message);
}

/** Tells the parent process; a parent that has gone is seen by the "disconnect" event. */
export function report(message: Report): void {
  process.send?.(message, undefined, undefined, () => {});
}

/** The port of the bus that the parent gives, and a signal that ends the app: its parent has gone or wants it to stop. */
export function demoApp(): { readonly port: number; readonly signal: AbortSignal } {
  const stop = new AbortController();
  process.once("disconnect", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  return { port: z.coerce.number().int().min(1).max(65_535).parse(process.argv[2]), signal: stop.signal };
}

/** The channel to the parent would keep the process after its work. */
export function leave(): void {
  if (process.connected) process.disconnect();
}

/** The feed and the connections that the demo ships. */
import { readFile } from "node:fs/promises";
import { type Indicator, parseStix, pointIoc } from "@threatbus/stix";
import { z } from "zod";

const connectionSchema = z.strictObject({
  time: z.iso.datetime(),
  source: z.string(),
  destination: z.string(),
  /** The name by which the destination was looked up. */
  host: z.string().optional(),
});
export type Connection = z.output<typeof connectionSchema>;

async function lines(name: string): Promise<string[]> {
  const text = await readFile(new URL(`../../demo/${name}`, import.meta.url), "utf8");
  return text.split("\n").filter((line) => line !== "");
}

/** The indicators: the first half is what the platform has known for long, the rest is new. */
export async function readFeed(): Promise<{ history: Indicator[]; fresh: Indicator[] }> {
  const feed = (await lines("feed.jsonl")).map((line) => {
    const parsed = parseStix(Buffer.from(line));
    if (!parsed.ok || parsed.value.object.type !== "indicator") throw new Error(`not an indicator: ${line}`);
    return parsed.value.object;
  });
  const half = Math.ceil(feed.length / 2);
  return { history: feed.slice(0, half), fresh: feed.slice(half) };
}

export async function readConnections(): Promise<Connection[]> {
  return (await lines("connections.jsonl")).map((line) => connectionSchema.parse(JSON.parse(line)));
}

/** The connections that an indicator speaks of. */
export function matching(pattern: string, connections: readonly Connection[]): Connection[] {
  const value = pointIoc(pattern)?.value;
  return connections.filter(({ destination, host }) => value === destination || value === host);
}

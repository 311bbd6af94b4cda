/** The test's side of `numbered-publisher.ts`, and what of it is in a durable log. */
import { Store } from "@threatbus/store";
import type { Child } from "../../../scripts/child.ts";
import type { Bus } from "./bus.ts";
import type { Order } from "./numbered-publisher.ts";

/** The setting `apps` of a bus that has the plugin. */
export const NUMBERED = { numbered: { module: new URL("numbered-publisher.ts", import.meta.url).pathname } } as const;

/** One put that was acknowledged. */
export interface Accepted {
  readonly first: number;
  readonly last: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** Makes the plugin publish; `accepted` and `allAccepted` say how far it has got. */
export function order(bus: Bus, what: Order): void {
  bus.child.write(`${JSON.stringify(what)}\n`);
}

/** Every put that the plugin has said to be acknowledged. */
export function accepted({ lines }: Child): Accepted[] {
  const found: Accepted[] = [];
  for (const line of lines) {
    const [, first, last, time] = /^accepted (\d+) (\d+) (\d+)$/.exec(line) ?? [];
    if (time !== undefined) found.push({ first: Number(first), last: Number(last), time: Number(time) });
  }
  return found;
}

/** Waits until the put with this number is acknowledged. */
export async function untilAccepted(bus: Bus, last: number): Promise<void> {
  await bus.child.line(new RegExp(`^accepted \\d+ ${last} `));
}

/** A record of the log: its position, and the number in `x_order` (NaN: none). */
export interface Logged {
  readonly position: number;
  readonly number: number;
}

/** What lies in a log behind a position, read beside whoever writes it. */
export async function readLog(path: string, after = 0): Promise<Logged[]> {
  const store = await Store.open({ path, readOnly: true });
  try {
    const found: Logged[] = [];
    for await (const part of store.records({ after })) {
      for (const { position, bytes } of part) found.push({ position, number: numberIn(String(bytes)) });
    }
    return found;
  } finally {
    await store.close();
  }
}

/** The number of an indicator of `numbered-publisher.ts`, without parsing all of it. */
export function numberIn(json: string): number {
  return Number(/"x_order": ?(\d+)/.exec(json)?.[1]);
}

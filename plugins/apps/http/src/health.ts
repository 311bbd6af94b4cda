import type { HealthReport } from "@threatbus/core";

/** The state of one part of the bus. */
interface PartState {
  readonly ok: boolean;
  /** How it is, or what is wrong with it. */
  readonly detail: string;
}

/** What `GET /health` answers; the connectors answer in the same form, so that one check can read both. */
export interface HealthAnswer {
  readonly status: "ok" | "failing";
  /** By name: `log`, `backbone nats`, `workers`, `plugin zmq`. */
  readonly parts: Readonly<Record<string, PartState>>;
}

export function healthAnswer({ ok, parts }: HealthReport): HealthAnswer {
  const states = parts.map(({ name, ok, detail }) => [name, { ok, detail }] as const);
  return { status: ok ? "ok" : "failing", parts: Object.fromEntries(states) };
}

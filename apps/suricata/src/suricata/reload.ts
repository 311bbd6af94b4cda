import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { CommandSocket } from "./command-socket.ts";
import { SuricataError } from "./errors.ts";

/** How a reload went; numbers are missing where Suricata does not tell them. */
export interface ReloadOutcome {
  readonly loaded?: number;
  readonly failed?: number;
  readonly skipped?: number;
  /** Some of the rules that Suricata refused. */
  readonly samples: readonly FailedRule[];
}

export interface FailedRule {
  readonly rule: string;
  readonly filename?: string | undefined;
  readonly line?: number | undefined;
  readonly error?: string | undefined;
}

/** Milliseconds. */
export interface ReloadTimes {
  /** Between two looks whether it is done. */
  readonly poll: number;
  /** The longest that a reload may take. */
  readonly deadline: number;
}

/** A reload of tens of thousands of rules takes a minute or so. */
export const RELOAD_TIMES: ReloadTimes = { poll: 500, deadline: 600_000 };

const timeSchema = z.array(z.looseObject({ last_reload: z.string() })).min(1);
const tenantStatsSchema = z.looseObject({
  rules_loaded: z.number(),
  rules_failed: z.number(),
  rules_skipped: z.number().optional(),
});
type TenantStats = z.output<typeof tenantStatsSchema>;
const statsSchema = z.array(tenantStatsSchema).min(1);
const failedSchema = z.array(
  z.looseObject({
    rule: z.string(),
    filename: z.string().optional(),
    line: z.number().optional(),
    error: z.string().optional(),
  }),
);
const MAX_SAMPLES = 5;

/**
 * Has Suricata read its rules again, and waits until it has. The blocking command would keep all other users of the
 * socket waiting too.
 * @throws SuricataError `busy` where a reload is under way already: it may have begun before our files were written
 */
export async function reload(socket: CommandSocket, times: ReloadTimes, signal: AbortSignal): Promise<ReloadOutcome> {
  const before = await lastReload(socket);
  const { ok, message } = await socket.command("ruleset-reload-nonblocking");
  if (!ok) throw refusal(message);
  const end = performance.now() + times.deadline;
  // A Suricata that does not tell when it was, does not tell how it went either.
  while (before !== undefined && (await lastReload(socket)) === before) {
    if (performance.now() > end) throw new SuricataError("protocol", "Suricata does not finish the reload");
    await sleep(times.poll, undefined, { signal });
  }
  return outcome(socket);
}

/** What a reload was refused with. */
export function refusal(message: unknown): SuricataError {
  const text = typeof message === "string" ? message : JSON.stringify(message);
  const busy = /already in progress/i.test(text);
  return new SuricataError(busy ? "busy" : "refused", `Suricata does not reload its rules: ${text.slice(0, 200)}`);
}

/** undefined: it is not told. */
async function lastReload(socket: CommandSocket): Promise<string | undefined> {
  const { ok, message } = await socket.command("ruleset-reload-time");
  const times = ok ? timeSchema.safeParse(message).data : undefined;
  return times?.map(({ last_reload }) => last_reload).join(" ");
}

async function outcome(socket: CommandSocket): Promise<ReloadOutcome> {
  const { ok, message } = await socket.command("ruleset-stats");
  const stats = ok ? statsSchema.safeParse(message).data : undefined;
  if (stats === undefined) return { samples: [] };
  // One for each tenant.
  const sum = (read: (one: TenantStats) => number): number => stats.reduce((total, one) => total + read(one), 0);
  const failed = sum(({ rules_failed }) => rules_failed);
  return {
    loaded: sum(({ rules_loaded }) => rules_loaded),
    failed,
    skipped: sum(({ rules_skipped }) => rules_skipped ?? 0),
    samples: failed > 0 ? await failedRules(socket) : [],
  };
}

async function failedRules(socket: CommandSocket): Promise<FailedRule[]> {
  const { ok, message } = await socket.command("ruleset-failed-rules");
  const rules = ok ? failedSchema.safeParse(message).data : undefined;
  return (rules ?? [])
    .slice(0, MAX_SAMPLES)
    .map(({ rule, filename, line, error }) => ({ rule, filename, line, error }));
}

/** The stand-in for STIX-Shifter as the tests configure it, and what it has noted. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export const STUB: string = fileURLToPath(new URL("../stub/stix-shifter", import.meta.url));

/** What one call does; without steps it succeeds. The last step is that of all further calls. */
export type Step =
  | { readonly reply: unknown }
  | { readonly fails: string }
  | { readonly prints: string; readonly times?: number; readonly code?: number }
  | { readonly hangs: true }
  | { readonly warns: string }
  | Record<string, never>;

/** Steps by operation, and the rows that a query finds. With `status` the module is an asynchronous one. */
export interface Behaviour {
  readonly query?: readonly Step[];
  readonly status?: readonly Step[];
  readonly results?: readonly Step[];
  readonly rows?: readonly unknown[];
}

/** One call that the stand-in got. */
export interface Call {
  readonly operation: string;
  readonly value: readonly string[];
  readonly pid: number;
  /** As `ps` shows it. */
  readonly cmdline: readonly string[];
}

export const DATA_SOURCE = {
  type: "identity",
  identity_class: "events",
  name: "Stub",
  id: "identity--629a6400-8817-4bcb-aee7-8c74fc57482c",
} as const;

/** A new empty folder, removed when the test ends. */
export async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "threatbus-stix-shifter-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

export function callsIn(log: string): Call[] {
  if (!existsSync(log)) return [];
  const lines = readFileSync(log, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Call);
}

/** An observation as STIX-Shifter makes it of a row, in STIX 2.0. */
export function observed(value: string, members: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id: "observed-data--22222222-2222-4222-8222-222222222222",
    type: "observed-data",
    created_by_ref: DATA_SOURCE.id,
    created: "2024-06-11T00:00:00.000Z",
    modified: "2024-06-11T00:00:00.000Z",
    first_observed: "2024-06-10T06:00:00.000Z",
    last_observed: "2024-06-10T06:05:00.000Z",
    number_observed: 3,
    objects: { "0": { type: "ipv4-addr", value } },
    ...members,
  };
}

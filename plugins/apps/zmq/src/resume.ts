/**
 * The members of a subscribe request with which an app loses nothing: `from`, `log` and `positions`, to go on where it
 * was, and `receipts`, to know what the bus has of it.
 */
import type { StartPosition } from "@threatbus/core";
import { z } from "zod";

const MAX_LOG_ID = 64;
const RFC_3339 = z.iso.datetime({ offset: true });

export interface Resume {
  /** Where in the durable log to begin; absent: with what comes from now on. */
  readonly from?: StartPosition;
  /** The app wants to be told of its positions. */
  readonly positions?: true;
  /** The app wants to know whether it can ask for receipts. */
  readonly receipts?: true;
}

/** Reads these members, or says what is wrong with them. null counts as absent. */
export function readResume(json: Readonly<Record<string, unknown>>): Resume | string {
  const { from, log, positions, receipts } = json;
  if (!isAbsent(positions) && typeof positions !== "boolean") return "positions must be true or false";
  if (!isAbsent(receipts) && typeof receipts !== "boolean") return "receipts must be true or false";
  if (!isAbsent(log) && (typeof log !== "string" || log.length < 1 || log.length > MAX_LOG_ID)) {
    return `log must be text of 1 to ${MAX_LOG_ID} characters`;
  }
  const wanted = { ...(positions === true ? { positions } : {}), ...(receipts === true ? { receipts } : {}) };
  if (isAbsent(from)) return wanted;
  const start = readFrom(from, typeof log === "string" ? log : undefined);
  return typeof start === "string" ? start : { ...wanted, from: start };
}

function readFrom(from: unknown, log: string | undefined): StartPosition | string {
  if (from === "earliest" || from === "latest") return { kind: from };
  if (typeof from === "number" && Number.isSafeInteger(from) && from >= 0) {
    // Adding 0 makes 0 of -0.
    return { kind: "position", position: from + 0, ...(log === undefined ? {} : { log }) };
  }
  const time = RFC_3339.safeParse(from);
  if (time.success) return { kind: "time", time: Date.parse(time.data) };
  return 'from must be a position (a whole number from 0), "earliest", "latest", or a time such as "2026-11-23T10:00:00Z"';
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

import { findMember } from "@threatbus/stix";
import { z } from "zod";
import type { EventOrigin } from "../loops.ts";
import type { Frame } from "./frames.ts";

/** The names of frames that carry a change. What happened is told by the name, not by `type` in the body. */
export const CHANGES = ["create", "update", "delete", "merge"] as const;
export type Change = (typeof CHANGES)[number];

/** A change in OpenCTI. */
export interface StreamEvent {
  readonly change: Change;
  readonly origin: EventOrigin;
  /** The object: after the change, for `delete` before it. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Its JSON text, as OpenCTI wrote it. */
  readonly bytes: Buffer;
  readonly context: Readonly<Record<string, unknown>>;
}

/** What a frame carries, or why it carries nothing of use. */
export type ReadEvent =
  | { readonly ok: true; readonly event: StreamEvent }
  | { readonly ok: false; readonly reason: "event_too_large" | "malformed_event" | "old_event_version" };

/** Versions below are of OpenCTI 4; above, nothing is known to us and the message says so once. */
const EVENT_VERSION = 4;

const map = z.record(z.string(), z.unknown());
const origin = z.object({
  user_id: z.string().optional().catch(undefined),
  referer: z.string().optional().catch(undefined),
});
const bodySchema = z.object({
  version: z.union([z.string(), z.number()]).transform((version) => Number.parseInt(String(version), 10)),
  origin: origin.catch({}),
  data: map,
  context: map.optional().catch(undefined),
});

/** @param onNewVersion hears of an event that says it is newer than what is known here */
export function readEvent(change: Change, frame: Frame, onNewVersion: (version: number) => void): ReadEvent {
  const { data: text } = frame;
  if (text === undefined) return { ok: false, reason: "event_too_large" };
  const body = bodySchema.safeParse(parseJson(text));
  const bytes = body.success ? findMember(text, "data") : undefined;
  if (!body.success || bytes === undefined) return { ok: false, reason: "malformed_event" };
  const { version, data, context = {} } = body.data;
  if (!(version >= EVENT_VERSION)) return { ok: false, reason: "old_event_version" };
  if (version > EVENT_VERSION) onNewVersion(version);
  return { ok: true, event: { change, origin: body.data.origin, data, bytes, context } };
}

const rangeSchema = z.object({
  lastEventId: z.string().optional().catch(undefined),
  firstEventId: z.string().optional().catch(undefined),
  lastEventDate: z.string().optional().catch(undefined),
});

/** What the frame `connected` says; nothing where it cannot be read. */
export function readRange(frame: Frame): z.output<typeof rangeSchema> {
  const parsed = rangeSchema.safeParse(frame.data === undefined ? undefined : parseJson(frame.data));
  return parsed.success ? parsed.data : {};
}

function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** The management protocol's JSON (zmq.md, Management protocol): requests read, replies written. */
import { type ContentFilter, contentFilterSchema } from "@threatbus/core";
import { type Resume, readResume } from "./resume.ts";

/** Larger requests are refused: so much JSON is read in some milliseconds whatever its shape, and 100 topics of 1,000 bytes fit. */
export const MAX_REQUEST_BYTES = 256 * 1024;
const MAX_TOPICS = 100;
const MAX_TOPIC_BYTES = 1_000;
/** Stands in log lines and metrics: no control characters, no lone surrogates. */
const NAME = /^\P{C}{0,200}$/u;
/** The longest time delta of the original, in days, either way. */
const MAX_DAYS = 999_999_999;
const SECONDS_PER_DAY = 86_400;

export interface SubscribeRequest extends Resume {
  readonly action: "subscribe";
  /** Without repetitions. */
  readonly topics: readonly string[];
  readonly snapshotSeconds: number;
  readonly name?: string;
  readonly filter?: ContentFilter;
}

/** An unsubscribe or a heartbeat, for one p2p topic. */
export interface SubscriptionRequest {
  readonly action: "unsubscribe" | "heartbeat";
  readonly topic: string;
}

export type ManagementRequest = SubscribeRequest | SubscriptionRequest;

/** What goes back to the app. Programs written for the original look at `status` alone when it is not "success". */
export interface Reply {
  readonly status: "success" | "error" | "unknown request";
  readonly topic?: string;
  readonly pub_port?: number;
  readonly sub_port?: number;
  /** Behind which position of which durable log the subscription began; only for who asks for positions. */
  readonly position?: number;
  readonly log?: string;
  /** Receipts are given; only for who asks. */
  readonly receipts?: true;
  /** Why it failed, for a person. */
  readonly message?: string;
  /** Why it failed, for a program: `from` was asked for and there is no log, or the same request may succeed soon. */
  readonly code?: "TB_NO_LOG" | "TB_UNAVAILABLE";
}

export type ReadRequest =
  | { readonly ok: true; readonly request: ManagementRequest }
  | { readonly ok: false; readonly reply: Reply };

const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function encodeReply(reply: Reply): Buffer {
  return Buffer.from(JSON.stringify(reply));
}

/** Reads one request, in the order of the original: JSON, the snapshot length, the action and topic, then the rest. Never throws. */
export function readRequest(bytes: Buffer): ReadRequest {
  if (bytes.length > MAX_REQUEST_BYTES) return failed(`the request is larger than ${MAX_REQUEST_BYTES} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(text.decode(bytes));
  } catch {
    return failed("the request is not JSON");
  }
  if (!isRecord(json)) return failed("the request is not a JSON object");
  const seconds = snapshotSeconds(json.snapshot);
  if (seconds === undefined) return failed("snapshot must be a whole number of days");
  return readAction(json, seconds);
}

function readAction(json: Record<string, unknown>, seconds: number): ReadRequest {
  const { action, topic } = json;
  if (action !== "subscribe" && action !== "unsubscribe" && action !== "heartbeat") {
    return unknown("action must be subscribe, unsubscribe or heartbeat");
  }
  if (isNothing(topic)) return unknown("topic is missing or empty");
  if (action === "subscribe") return readSubscribe(json, seconds);
  if (typeof topic !== "string") return failed("topic must be the text that subscribing gave");
  return { ok: true, request: { action, topic } };
}

function readSubscribe(json: Record<string, unknown>, seconds: number): ReadRequest {
  const topics = readTopics(json.topic);
  if (typeof topics === "string") return failed(topics);
  const { name, filter } = json;
  if (name !== undefined && name !== null && (typeof name !== "string" || !NAME.test(name))) {
    return failed("name must be text of at most 200 printable characters");
  }
  const resume = readResume(json);
  if (typeof resume === "string") return failed(resume);
  const request = { action: "subscribe", topics, snapshotSeconds: seconds, ...resume } as const;
  const named = typeof name === "string" && name !== "" ? { ...request, name } : request;
  if (filter === undefined || filter === null) return { ok: true, request: named };
  const checked = contentFilterSchema.safeParse(filter);
  if (checked.success) return { ok: true, request: { ...named, filter: checked.data } };
  const issue = checked.error.issues[0];
  return failed(`filter: ${[...(issue?.path ?? []), issue?.message].join(": ")}`.slice(0, 300));
}

/** The topics, or what is wrong with them. */
function readTopics(topic: unknown): readonly string[] | string {
  const list: readonly unknown[] = Array.isArray(topic) ? topic : [topic];
  if (list.length > MAX_TOPICS) return `more than ${MAX_TOPICS} topics`;
  const topics = new Set<string>();
  for (const item of list) {
    if (typeof item !== "string") return "topic must be text or a list of texts";
    if (Buffer.byteLength(item) > MAX_TOPIC_BYTES) return `a topic is longer than ${MAX_TOPIC_BYTES} bytes`;
    topics.add(item);
  }
  return [...topics];
}

/** Days as an integer of 64 bits or its text, in seconds; absent is 0; undefined when it is no number of days. */
function snapshotSeconds(value: unknown): number | undefined {
  if (value === undefined) return 0;
  let days: number;
  if (typeof value === "number") days = Math.trunc(value);
  else if (typeof value === "boolean") days = value ? 1 : 0;
  else if (typeof value === "string" && /^\s*[+-]?\d{1,20}\s*$/.test(value)) days = Number(value);
  else return undefined;
  // Adding 0 makes 0 of -0.
  return Math.abs(days) <= MAX_DAYS ? days * SECONDS_PER_DAY + 0 : undefined;
}

/** What Python takes for false, as the original's check for a topic did. */
function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isRecord(value) && Object.keys(value).length === 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function failed(message: string): ReadRequest {
  return { ok: false, reply: { status: "error", message } };
}

function unknown(message: string): ReadRequest {
  return { ok: false, reply: { status: "unknown request", message } };
}

/** The five events between Zeek's script and Threat Bus (zeek.md, Native endpoint: events). */
import { Value, type ZeekEvent } from "@threatbus/zeek-broker";
import type { IntelItem } from "./intel.ts";

/** Topics that the script publishes to, and on which it hears acknowledgements. */
export const MANAGE_TOPIC = "threatbus/manage";
export const SIGHTING_TOPIC = "stix2/sighting";

const NANOSECONDS_PER_MICROSECOND = 1_000n;
const INT64_MAX = 2n ** 63n - 1n;

/** What a script asks of the bus; the arguments as they came, of whatever type. */
export type Management =
  | { readonly kind: "subscribe"; readonly topic: Value; readonly snapshot: Value }
  | { readonly kind: "unsubscribe"; readonly topic: Value };

/** What is left of an event's name without its module. Names without any are taken too, as the original did. */
export function bareName(name: string, namespace: string): string {
  const prefix = `${namespace}::`;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/** `subscribe(topic, snapshot)` and `unsubscribe(p2p_topic)`; undefined for every other event. */
export function readManagement(event: ZeekEvent, namespace: string): Management | undefined {
  const name = bareName(event.name, namespace);
  const [topic, snapshot] = event.args;
  if (topic === undefined || topic.type === "none") return undefined;
  if (name === "subscribe" && snapshot !== undefined && event.args.length === 2) {
    return { kind: "subscribe", topic, snapshot };
  }
  return name === "unsubscribe" && event.args.length === 1 ? { kind: "unsubscribe", topic } : undefined;
}

/** `subscription_acknowledged(p2p_topic: string)`. */
export function acknowledgement(p2pTopic: string, namespace: string): ZeekEvent {
  return { name: `${namespace}::subscription_acknowledged`, args: [Value.string(p2pTopic)] };
}

/**
 * `intel(item: record {ts: time, id: string, intel_type: string, indicator: string, operation: string})`. A record is one
 * vector. A time that Zeek's 64 bits of nanoseconds cannot hold becomes the nearest that they can (1677 or 2262).
 */
export function intelEvent(item: IntelItem, namespace: string): ZeekEvent {
  const record = Value.record(
    Value.timestamp(withinInt64(item.created * NANOSECONDS_PER_MICROSECOND)),
    Value.string(item.id),
    Value.string(item.type),
    Value.string(item.value),
    Value.string(item.operation),
  );
  return { name: `${namespace}::intel`, args: [record] };
}

function withinInt64(value: bigint): bigint {
  if (value > INT64_MAX) return INT64_MAX;
  return value < -INT64_MAX ? -INT64_MAX : value;
}

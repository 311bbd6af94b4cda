import { randomUUID } from "node:crypto";
import { type Message, TOPICS } from "@threatbus/core";
import { encodeSnapshotEnvelope, encodeSnapshotRequest, parseStix } from "@threatbus/stix";

const TIMES = { created: "2021-03-04T05:06:07.891Z", modified: "2021-03-05T05:06:07.891Z" };

/** An indicator as JSON text; `extra` are further properties. */
export function indicatorJson(extra: Record<string, unknown> = {}): string {
  return JSON.stringify({
    type: "indicator",
    spec_version: "2.1",
    id: `indicator--${randomUUID()}`,
    ...TIMES,
    pattern: "[ipv4-addr:value = '198.51.100.3']",
    pattern_type: "stix",
    pattern_version: "2.1",
    valid_from: "2021-03-04T05:06:07Z",
    ...extra,
  });
}

export function sightingJson(extra: Record<string, unknown> = {}): string {
  return JSON.stringify({
    type: "sighting",
    spec_version: "2.1",
    id: `sighting--${randomUUID()}`,
    ...TIMES,
    sighting_of_ref: `indicator--${randomUUID()}`,
    ...extra,
  });
}

/** A message of the bus with this STIX object. */
export function stixMessage(json: string): Message {
  const parsed = parseStix(Buffer.from(json));
  if (!parsed.ok) throw new Error(`not STIX: ${parsed.error.message}`);
  const base = { id: randomUUID(), source: "test", receivedAt: Date.now(), bytes: parsed.value.bytes };
  return { ...base, type: parsed.value.type, stix: parsed.value } as Message;
}

export function requestMessage(snapshotId: string): Message & { readonly type: "snapshotrequest" } {
  const request = { type: "snapshotrequest", snapshotType: "indicator", snapshotId, seconds: 86_400 } as const;
  const base = { id: randomUUID(), source: "test", receivedAt: Date.now() };
  return { ...base, type: "snapshotrequest", request, bytes: encodeSnapshotRequest(request) };
}

/** A snapshot envelope as JSON text, around an indicator. */
export function envelopeJson(snapshotId: string): string {
  const parsed = parseStix(Buffer.from(indicatorJson()));
  if (!parsed.ok) throw new Error(`not STIX: ${parsed.error.message}`);
  const envelope = { type: "snapshotenvelope", snapshotType: "indicator", snapshotId, body: parsed.value } as const;
  return encodeSnapshotEnvelope(envelope).toString();
}

export function topicOf(message: Message): string {
  return TOPICS[message.type];
}

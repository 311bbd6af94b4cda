import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { z } from "zod";

const snapshotRequest = z.object({ snapshot_type: z.enum(["INDICATOR", "SIGHTING"]), snapshot_seconds: z.number() });
const subscription = z.object({ topic: z.string(), subscriber: z.string() });
const deliveries = z.object({ deliveries: z.record(z.string(), z.array(z.string())) });
const asked = z.object({ snapshot_id_returned: z.boolean(), requests: z.array(snapshotRequest) });

const schemas = {
  route: z.object({
    name: z.string(),
    input: z.object({ message: z.string(), prefixes: z.array(z.string()) }),
    expected: z.object({ topic: z.string(), matching: z.array(z.string()) }),
  }),
  deliver: z.object({
    name: z.string(),
    input: z.object({
      messages: z.array(z.string()),
      subscriptions: z.array(subscription),
      unsubscriptions: z.array(subscription).default([]),
    }),
    expected: deliveries,
    better: deliveries.optional(),
  }),
  "snapshot-requests": z.object({
    name: z.string(),
    input: z.object({ topic: z.string(), snapshot_seconds: z.number().nullable() }),
    expected: asked,
    better: asked.optional(),
  }),
  "snapshot-handling": z.object({
    name: z.string(),
    input: z.object({ known_snapshot_ids: z.array(z.string()), messages: z.array(z.string()) }),
    expected: z.object({ to_requester: z.array(z.string()), to_apps: z.array(z.string()) }),
  }),
  "bus-subscribe": z.object({ name: z.string(), input: z.object({ topic: z.unknown() }) }),
};
type Schemas = typeof schemas;

const all = z
  .array(z.looseObject({ kind: z.string() }))
  .parse(JSON.parse(readFileSync(new URL("./vectors/topics.json", import.meta.url), "utf8")));

/** The vectors of one kind (`unsubscribe` has the shape of `deliver`); never none. */
export function vectors<Shape extends keyof Schemas>(shape: Shape, kind: string = shape): z.output<Schemas[Shape]>[] {
  const found = all.filter((vector) => vector.kind === kind);
  assert.notEqual(found.length, 0, `no vectors of kind ${kind}`);
  const schema: z.ZodType<z.output<Schemas[Shape]>> = schemas[shape] as never;
  return found.map((vector) => schema.parse(vector));
}

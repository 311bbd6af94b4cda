import { z } from "zod";

const iocSchema = z.strictObject({
  kind: z.enum(["ip", "network", "domain", "url", "md5", "sha1", "sha256"]),
  value: z.string().min(1),
});

/** What is remembered of an indicator: the text of its rules, or its IoC and the sids of the rules made for it. */
export const recordSchema = z.union([
  z.strictObject({ id: z.string(), removed: z.literal(true) }),
  z.strictObject({ id: z.string(), modified: z.string(), pattern: z.string() }),
  z.strictObject({ id: z.string(), modified: z.string(), ioc: iocSchema, sids: z.array(z.int()) }),
]);
export type IndicatorRecord = z.output<typeof recordSchema>;

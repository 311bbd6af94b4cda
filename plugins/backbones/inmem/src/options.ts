import { z } from "zod";

/** `inmem: {}`: there is nothing to set, and a setting that looks as if it did something is refused. */
export const inmemSchema = z.strictObject({});
export type InmemOptions = z.infer<typeof inmemSchema>;

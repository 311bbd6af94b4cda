import { type ZodType, z } from "zod";

/** For plugins that a test makes itself: whatever is configured will do. */
export const anyConfig: ZodType<unknown> = z.unknown();

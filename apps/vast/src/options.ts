import { sharedSettings } from "@threatbus/connector";
import { z } from "zod";

export const settingsSchema = z.strictObject({ ...sharedSettings({ httpPort: 13381 }) });
export type Settings = z.output<typeof settingsSchema>;

import { duration } from "@threatbus/core";
import { z } from "zod";

export const fileBenchmarkSchema = z.strictObject({
  input_file: z
    .string()
    .min(1)
    .max(4_096)
    .describe("File of STIX 2.1 indicators and sightings, one JSON object a line, relative to the working directory."),
  repetitions: z.int().min(0).max(1_000_000).default(1).describe("How many times the whole file is sent."),
  delay: duration("2s").describe("Time between the start and the first message, for apps to subscribe."),
});
export type FileBenchmarkOptions = z.output<typeof fileBenchmarkSchema>;

import { createReadStream } from "node:fs";
import { type Logger, messageOf, ThreatBusError } from "@threatbus/core";
import { type ParsedStix, parseStix } from "@threatbus/stix";
import { type LineLimits, readLines } from "./lines.ts";

/** The parsed objects are all held in memory, at several times the size of the file. */
const LIMITS: LineLimits = { maxLineBytes: 10 * 2 ** 20, maxBytes: 256 * 2 ** 20 };
/** Bad lines that are logged one by one; the rest is only counted. */
const REPORTED_LINES = 20;

/**
 * Reads the whole file before anything is sent. Empty lines are passed over.
 * @throws ThreatBusError when the file cannot be read or has a bad line; each bad line is logged with its number.
 */
export async function readInput(path: string, logger: Logger, limits: LineLimits = LIMITS): Promise<ParsedStix[]> {
  const objects: ParsedStix[] = [];
  let bad = 0;
  try {
    for await (const { number, bytes } of readLines(createReadStream(path), limits)) {
      if (bytes.length === 0 || bytes.equals(CARRIAGE_RETURN)) continue;
      const parsed = parseStix(bytes, { maxBytes: limits.maxLineBytes });
      if (parsed.ok) {
        objects.push(parsed.value);
        continue;
      }
      bad += 1;
      const { pointer, rule, message } = parsed.error;
      if (bad <= REPORTED_LINES)
        logger.error({ input_file: path, line: number, pointer, rule }, `bad line: ${message}`);
    }
  } catch (cause) {
    throw new ThreatBusError("TB_BACKBONE_FAILED", `input_file ${path}: ${messageOf(cause)}`, { cause });
  }
  if (bad === 0) return objects;
  throw new ThreatBusError("TB_BACKBONE_FAILED", `input_file ${path} has ${bad} bad lines; nothing is sent`, {
    hint: `Correct the lines that the log names (the first ${REPORTED_LINES}).`,
  });
}

const CARRIAGE_RETURN = Buffer.from("\r");

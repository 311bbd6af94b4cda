import type { Logger } from "@threatbus/core";
import type { Redact } from "./redact.ts";

/** `InsecureRequestWarning: Unverified HTTPS request ...` of Python, `... WARNING  ...` of STIX-Shifter's own log. */
const WARNING = /Warning\b|\bWARNING\b/;
/** Different warnings that are told; more would be a flood. */
const MAX_TOLD = 100;

/**
 * What a module warns of, such as certificates that are not checked: each warning once, as every run of STIX-Shifter
 * repeats it. The rest of what it says on standard error (a line for each query) is left out.
 * @returns takes the standard error of one run
 */
export function warningLog(module: string, redact: Redact, logger: Pick<Logger, "warn">): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    for (const line of text.split("\n")) {
      if (!WARNING.test(line)) continue;
      // The same at another time, or in another process.
      const kind = line.replaceAll(/\d+/g, "0");
      if (told.has(kind) || told.size >= MAX_TOLD) continue;
      told.add(kind);
      logger.warn({ module, warning: redact(line) }, "STIX-Shifter warns; it is told once");
    }
  };
}

import { CommandFailed, startCommand } from "@threatbus/connector";
import { messageOf } from "@threatbus/core";
import { z } from "zod";
import { SuricataError } from "./errors.ts";
import { refusal } from "./reload.ts";

const TIMEOUT = 60_000;
const outputSchema = z.looseObject({ return: z.string(), message: z.unknown().optional() });

/**
 * The same with Suricata's own client. It exits with 0 and says so on standard output also when Suricata refuses.
 * @throws SuricataError
 */
export async function reloadWithSuricatasc(program: string, socket: string, signal: AbortSignal): Promise<void> {
  const args = ["-c", "ruleset-reload-nonblocking", socket];
  try {
    const command = await startCommand({ program, args, timeout: TIMEOUT, signal });
    const lines: string[] = [];
    for await (const line of command.lines) lines.push(line);
    const { code, errorText } = await command.ended;
    const answer = read(lines.join("\n"));
    if (code !== 0 || answer === undefined) {
      throw new SuricataError(
        "unreachable",
        `${program} failed (${code}): ${errorText || lines.join(" ").slice(0, 200)}`,
      );
    }
    if (answer.return !== "OK") throw refusal(answer.message);
  } catch (cause) {
    if (cause instanceof CommandFailed) throw new SuricataError("unreachable", messageOf(cause), { cause });
    throw cause;
  }
}

function read(text: string): z.output<typeof outputSchema> | undefined {
  try {
    return outputSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

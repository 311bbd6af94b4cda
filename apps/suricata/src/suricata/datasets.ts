import type { CommandSocket } from "./command-socket.ts";
import { SuricataError } from "./errors.ts";
import type { SetChange } from "./set-changes.ts";

/**
 * Tells a dataset of one change. Adding what is there is no error to Suricata; removing what is not there is, so that
 * it is looked up.
 * @returns "unknown": there is no such dataset (yet): a reload makes it
 * @throws SuricataError `refused`
 */
export async function changeDataset(socket: CommandSocket, change: SetChange): Promise<"done" | "unknown"> {
  const { action, set, value } = change;
  const args = { setname: set.name, settype: set.type ?? "", datavalue: value };
  const { ok, message } = await socket.command(`dataset-${action}`, args);
  if (ok) return "done";
  if (message === "set not found or wrong type" || message === "Unknown command") return "unknown";
  if (action === "remove") {
    const found = await socket.command("dataset-lookup", args);
    if (!found.ok) return "done";
  }
  throw new SuricataError("refused", `dataset-${action} ${set.name} ${value}: ${JSON.stringify(message)}`);
}

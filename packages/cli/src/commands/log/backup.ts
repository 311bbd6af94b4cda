import { stat } from "node:fs/promises";
import { backupLog } from "@threatbus/store";
import { print, safe } from "../../terminal.ts";
import { sizeText } from "./format.ts";
import { type LogOptions, withPath } from "./open.ts";

/** `threatbus log backup`. @throws StoreError when the file is there already, or one of the two cannot be used */
export async function backup(file: string, options: LogOptions): Promise<void> {
  await withPath(options, async (path) => {
    await backupLog(path, file);
    const { size } = await stat(file);
    await print(`${safe(path)} is copied to ${safe(file)} (${sizeText(size)})`);
  });
}

import { randomUUID } from "node:crypto";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Puts a file in the place of another, whole or not at all, also when the process or the machine dies. An existing file
 * keeps its mode, and its owner where this process may give it away.
 * @param mode of a file that is new
 * @throws the system's error; the file is then what it was before
 */
export async function writeFileAtomically(path: string, content: string | Buffer, mode = 0o640): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const old = await stat(path).catch(() => undefined);
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(content);
      if (old !== undefined) {
        await file.chmod(old.mode & 0o7777);
        await file.chown(old.uid, old.gid).catch(() => undefined);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** The new name is on the disk as well. Not every file system can do that. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r").catch(() => undefined);
  try {
    await directory?.sync();
  } catch {
    // The file itself is safe.
  } finally {
    await directory?.close();
  }
}

/** Programs and folders that a test uses and that are gone after it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Child, type ChildOptions } from "../../../scripts/child.ts";

/** Starts a program that is stopped when the test ends. */
export function start(t: TestContext, program: string, args: readonly string[], options?: ChildOptions): Child {
  const child = new Child(program, args, options);
  t.after(() => child.stop());
  return child;
}

/** A new empty folder, removed when the test ends. */
export async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "threatbus-interop-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

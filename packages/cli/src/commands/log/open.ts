/** Where the log is, and how the commands open it. */
import type { Config } from "@threatbus/core";
import { CommandError } from "@threatbus/core/process";
import { Store, StoreError, type StoreErrorCode, type StoreOptions } from "@threatbus/store";
import { type ConfigOption, requireConfig } from "../../config.ts";

/** What every command of the log takes. */
export interface LogOptions extends ConfigOption {
  /** The file itself; the configuration is not read then. */
  readonly path?: string;
}

/** The setting store.path where the configuration has no log. */
const DEFAULT_PATH = "data/threatbus.db";

/** A log by its name; `note` says what may be behind it if it is not there. */
interface Place {
  readonly path: string;
  readonly note: string;
}

/** @throws ThreatBusError (exit code 78) when the configuration is wrong */
async function placeOf(options: LogOptions): Promise<Place> {
  if (options.path !== undefined) return { path: options.path, note: "" };
  const store = await storeConfig(options);
  if (store !== false) return { path: store.path, note: "" };
  return { path: DEFAULT_PATH, note: "The configuration keeps no log (store: false). " };
}

/** The section `store` of the configuration. @throws ThreatBusError (exit code 78) when the configuration is wrong */
export async function storeConfig(options: ConfigOption): Promise<Config["store"]> {
  return (await requireConfig(options)).config.store;
}

/** The path of a log that may not be there yet. @throws ThreatBusError (exit code 78) when the configuration is wrong */
export async function pathOf(options: LogOptions): Promise<string> {
  return (await placeOf(options)).path;
}

/** Does something with a log that has to be there. @throws CommandError or StoreError when it is not, or unreadable */
export async function withPath<T>(options: LogOptions, use: (path: string) => Promise<T>): Promise<T> {
  const { path, note } = await placeOf(options);
  try {
    return await use(path);
  } catch (thrown) {
    if (note === "" || !isStoreError(thrown, "TB_STORE_MISSING")) throw thrown;
    throw new CommandError(`${thrown.message}. ${note}Name the file with --path`, undefined, thrown);
  }
}

/** Opens the log beside whoever writes it, for as long as `use` takes. @throws StoreError when it cannot be read */
export async function readLog<T>(options: LogOptions, use: (store: Store) => Promise<T>): Promise<T> {
  const store = await withPath(options, (path) => Store.open({ path, readOnly: true }));
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/**
 * Opens the log as its only writer.
 * @param advice what to do instead while a bus has it open
 * @throws CommandError when a bus has it open, StoreError when it cannot be written
 */
export async function openWriter(options: StoreOptions, advice: string): Promise<Store> {
  try {
    return await Store.open(options);
  } catch (thrown) {
    if (!isStoreError(thrown, "TB_STORE_LOCKED")) throw thrown;
    throw new CommandError(`${thrown.message}. ${advice}`, undefined, thrown);
  }
}

function isStoreError(thrown: unknown, code: StoreErrorCode): thrown is StoreError {
  return thrown instanceof StoreError && thrown.code === code;
}

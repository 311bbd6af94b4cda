/** What can be wrong with the log, under stable codes. */
export const STORE_ERRORS = {
  TB_STORE_LOCKED: {
    hint: "Another Threat Bus uses this file: stop it, or give each instance a store.path of its own.",
    retryable: true,
  },
  TB_STORE_DAMAGED: {
    hint: "Nothing was deleted. Move the file away (the bus then starts a new one), or restore a backup.",
    retryable: false,
  },
  TB_STORE_NOT_A_DATABASE: {
    hint: "store.path names a file that is something else; nothing was changed. Choose another path.",
    retryable: false,
  },
  TB_STORE_FOREIGN: {
    hint: "store.path names the database of another program; nothing was changed. Choose another path.",
    retryable: false,
  },
  TB_STORE_NEWER: {
    hint: "A newer Threat Bus wrote this file: use that version, or choose another path.",
    retryable: false,
  },
  TB_STORE_MISSING: { hint: "Check store.path; reading does not make a new log.", retryable: false },
  TB_STORE_UNWRITABLE: {
    hint: "Check that the directory of store.path exists and that this user may write to it.",
    retryable: true,
  },
  TB_STORE_FULL: {
    hint: "Free space where store.path lies, or lower store.max_bytes; writing resumes by itself.",
    retryable: true,
  },
  TB_STORE_IO: { hint: "The system's log may say what is wrong with the disk.", retryable: true },
  TB_STORE_OPTION: { hint: "Correct the option.", retryable: false },
  TB_STORE_EXISTS: { hint: "Choose a file that does not exist yet: a backup never overwrites.", retryable: false },
  TB_STORE_CLOSED: { hint: "Open the store again.", retryable: false },
  TB_STORE_FAILED: {
    hint: "The cause says what went wrong; restart, and report it if it comes back.",
    retryable: true,
  },
} as const satisfies Record<string, { readonly hint: string; readonly retryable: boolean }>;

export type StoreErrorCode = keyof typeof STORE_ERRORS;

/** An error that says what happened to which file and what to do; `retryable` says whether trying again can help. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  readonly hint: string;
  readonly retryable: boolean;

  constructor(code: StoreErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = STORE_ERRORS[code].hint;
    this.retryable = STORE_ERRORS[code].retryable;
  }
}

/** An error as it crosses the threads. */
export interface ErrorMessage {
  readonly code: StoreErrorCode;
  readonly message: string;
}

/** SQLite's primary result codes (sqlite.org/rescode.html) and what they mean here. */
const BY_RESULT: Readonly<Record<number, { readonly code: StoreErrorCode; readonly text: string }>> = {
  5: { code: "TB_STORE_LOCKED", text: "is locked by another process" },
  6: { code: "TB_STORE_LOCKED", text: "is locked by another process" },
  8: { code: "TB_STORE_UNWRITABLE", text: "may not be written" },
  10: { code: "TB_STORE_IO", text: "could not be read or written" },
  11: { code: "TB_STORE_DAMAGED", text: "has damaged pages" },
  13: { code: "TB_STORE_FULL", text: "could not grow: no space is left" },
  14: { code: "TB_STORE_UNWRITABLE", text: "could not be opened" },
  26: { code: "TB_STORE_NOT_A_DATABASE", text: "is no SQLite database" },
};

/** The operating system's codes for the same, where a folder has to be made or a file looked at. */
const BY_SYSTEM: Readonly<Record<string, { readonly code: StoreErrorCode; readonly text: string }>> = {
  EACCES: { code: "TB_STORE_UNWRITABLE", text: "may not be used by this user" },
  EPERM: { code: "TB_STORE_UNWRITABLE", text: "may not be used by this user" },
  EROFS: { code: "TB_STORE_UNWRITABLE", text: "lies on a read-only file system" },
  ENOTDIR: { code: "TB_STORE_UNWRITABLE", text: "has a path through something that is no folder" },
  ENOENT: { code: "TB_STORE_UNWRITABLE", text: "lies where no folder can be made" },
  EEXIST: { code: "TB_STORE_UNWRITABLE", text: "has a path through something that is no folder" },
  EISDIR: { code: "TB_STORE_UNWRITABLE", text: "is a folder" },
  ENOSPC: { code: "TB_STORE_FULL", text: "could not grow: no space is left" },
};

/** Any failure of the database as an error of the catalogue that names the file. */
export function storeError(thrown: unknown, path: string): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const known = BY_RESULT[sqliteCode(thrown) ?? -1] ?? BY_SYSTEM[systemCode(thrown) ?? ""];
  if (known === undefined) {
    return new StoreError("TB_STORE_FAILED", `The log ${path} failed: ${messageOf(thrown)}`, { cause: thrown });
  }
  return new StoreError(known.code, `The log ${path} ${known.text} (${messageOf(thrown)})`, { cause: thrown });
}

/** The primary result code; node:sqlite gives the extended one, whose low byte it is. */
function sqliteCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !("errcode" in thrown)) return undefined;
  return typeof thrown.errcode === "number" ? thrown.errcode & 0xff : undefined;
}

function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

import { connectionFailure } from "../connection-failure.ts";

/**
 * What is to be done about a failure (spec of OpenCTI's GraphQL, table of error codes):
 * - `credentials`, `forbidden`: nothing works until somebody changes the token or the user: stop, and look again now and then
 * - `unreachable`: OpenCTI does not answer, or something in front of it does: the same call later
 * - `busy`: OpenCTI answers that this call cannot be done now: the same call later, others meanwhile
 * - `missing-reference`: an object that the call refers to is not there
 * - `already-deleted`: what was to be deleted is gone
 * - `refused`: never for this object
 * - `ours`: a call that this version of OpenCTI does not understand
 */
export type FailureKind =
  | "credentials"
  | "forbidden"
  | "unreachable"
  | "busy"
  | "missing-reference"
  | "already-deleted"
  | "refused"
  | "ours";

const KINDS: Readonly<Record<string, FailureKind>> = {
  AUTH_REQUIRED: "credentials",
  AUTH_FAILURE: "credentials",
  OTP_REQUIRED: "credentials",
  FORBIDDEN_ACCESS: "forbidden",
  INSUFFICIENT_CONFIDENCE_LEVEL: "refused",
  FUNCTIONAL_ERROR: "refused",
  VALIDATION_ERROR: "ours",
  UNSUPPORTED_ERROR: "ours",
  GRAPHQL_VALIDATION_FAILED: "ours",
  GRAPHQL_PARSE_FAILED: "ours",
  BAD_USER_INPUT: "ours",
  MISSING_REFERENCE_ERROR: "missing-reference",
  ALREADY_DELETED_ERROR: "already-deleted",
  LOCK_ERROR: "busy",
  DATABASE_ERROR: "busy",
};

/** A failed call of OpenCTI. */
export class OpenctiError extends Error {
  override readonly name = "OpenctiError";
  readonly kind: FailureKind;
  /** OpenCTI's code, `MISSING_REFERENCE_ERROR`; one of our own where it gave none: `NO_ANSWER`, `HTTP_502`. */
  readonly code: string;

  constructor(kind: FailureKind, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.code = code;
  }

  /** The code as a metric label: `missing_reference_error`. */
  get reason(): string {
    return this.code.toLowerCase();
  }
}

/** One error of a reply, of both shapes: 6.x has `extensions`, 5.x had `name` and `data` beside the message. */
export interface ReplyError {
  readonly message?: string | undefined;
  readonly name?: string | undefined;
  readonly data?: ErrorData | null | undefined;
  readonly extensions?:
    | { readonly code?: string | undefined; readonly data?: ErrorData | null | undefined }
    | undefined;
}

interface ErrorData {
  readonly http_status?: number | undefined;
  /** `INCORRECT_INDICATOR_FORMAT` says more than `FUNCTIONAL_ERROR`. */
  readonly doc_code?: string | undefined;
  readonly reason?: string | undefined;
}

const MAX_MESSAGE = 500;
/** The first of several errors counts, unless one says that the call may work later: then the object is not given up. */
const KEEPING: readonly FailureKind[] = ["credentials", "forbidden", "unreachable", "busy"];

/** The errors of a reply as one. @param errors at least one */
export function errorOfReply(errors: readonly ReplyError[]): OpenctiError {
  const all = errors.map(errorOf);
  const first = all[0] ?? new OpenctiError("refused", "UNKNOWN_ERROR", "OpenCTI gave no reason");
  return all.find(({ kind }) => KEEPING.includes(kind)) ?? first;
}

function errorOf({ message, name, data, extensions }: ReplyError): OpenctiError {
  const details = extensions?.data ?? data ?? {};
  const codes = [extensions?.code, name].map((code) => (code === undefined ? undefined : normalised(code)));
  const known = codes.find((code) => code !== undefined && KINDS[code] !== undefined);
  const code = known ?? codes.find((given) => given !== undefined) ?? "UNKNOWN_ERROR";
  const kind = KINDS[code] ?? kindOfStatus(details.http_status);
  const why = details.reason === undefined ? "" : ` (${details.reason})`;
  return new OpenctiError(kind, details.doc_code ?? code, `${message ?? "no message"}${why}`.slice(0, MAX_MESSAGE));
}

/** 5.x wrote `AuthRequired` for AUTH_REQUIRED. */
function normalised(code: string): string {
  return code
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toUpperCase()
    .slice(0, 64);
}

/** An error whose code is not known, by the status that it would have had. */
function kindOfStatus(status: number | undefined): FailureKind {
  if (status === 401) return "credentials";
  if (status === 403) return "forbidden";
  if (status === 404) return "missing-reference";
  return status === 429 || (status ?? 0) >= 500 ? "busy" : "refused";
}

/** A reply without an answer of GraphQL: of a proxy, of another program, or of OpenCTI when it starts. */
export function errorOfStatus(status: number, contentType: string): OpenctiError {
  const what = `HTTP ${status} with ${contentType || "no content type"} instead of an answer of GraphQL`;
  if (status === 401) return new OpenctiError("credentials", "HTTP_401", what);
  // Not OpenCTI's own: a filter in front of it, which may dislike just this object.
  if (status === 403)
    return new OpenctiError("unreachable", "HTTP_403", `${what}: something in front of OpenCTI forbids it`);
  if (status === 413) return new OpenctiError("refused", "HTTP_413", `${what}: the object is too large`);
  const hint = status < 500 && status !== 429 ? "; is the address of OpenCTI right?" : "";
  return new OpenctiError("unreachable", `HTTP_${status}`, what + hint);
}

/** No reply at all. */
export function noAnswer(cause: unknown): OpenctiError {
  return new OpenctiError("unreachable", "NO_ANSWER", `no answer from OpenCTI: ${connectionFailure(cause)}`, cause);
}

import { JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import { hideUrlCredentials, messageOf } from "@threatbus/core";

/** Error codes of the server's JetStream API (its errors.json). */
export const API = {
  consumerNotFound: 10014,
  storageExceeded: 10047,
  messageTooLarge: 10054,
  streamNameInUse: 10058,
  streamNotFound: 10059,
  notEnabledForAccount: 10039,
  replicasNotSupported: 10074,
  notEnabled: 10076,
  storeFailed: 10077,
} as const;

/** What to do, by the code of the server. */
const ADVICE: Readonly<Record<number, string>> = {
  [API.storageExceeded]: "lower max_bytes, or give the server more storage (max_file_store)",
  [API.notEnabledForAccount]: "the account of this user has no JetStream: enable it in the server's configuration",
  [API.replicasNotSupported]: "replicas above 1 need a cluster of at least as many servers",
  [API.notEnabled]: "the server runs without JetStream: add `jetstream {}` to its configuration or start it with -js",
};

const NO_JETSTREAM =
  "nobody answers for JetStream: it is not enabled (`jetstream {}` in the server's configuration), or the cluster has no leader now";

/** The code by which the server's JetStream says what is wrong; undefined for errors of another kind. */
export function apiCode(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined;
}

/** What went wrong with the server or the stream, and what to do; never a secret. */
export function failureText(error: unknown): string {
  return hideUrlCredentials(explain(error));
}

function explain(error: unknown): string {
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError) {
    return `the server refuses to log in (${error.message}): check user and password, token, nkey_file or creds_file`;
  }
  if (error instanceof errors.PermissionViolationError) {
    const action = error.operation === "publish" ? "publish to" : "subscribe to";
    return `the user has no right to ${action} ${error.subject}`;
  }
  if (isNotEnabled(error)) return NO_JETSTREAM;
  if (error instanceof errors.TimeoutError) return "no answer in time";
  const advice = ADVICE[apiCode(error) ?? 0];
  return advice === undefined ? messageOf(error) : `${messageOf(error)}: ${advice}`;
}

/** The client does not export these by class. */
function isNotEnabled(error: unknown): boolean {
  if (error instanceof errors.NoRespondersError) return true;
  if (error instanceof errors.RequestError) return error.isNoResponders();
  return error instanceof Error && error.name === "JetStreamNotEnabled";
}

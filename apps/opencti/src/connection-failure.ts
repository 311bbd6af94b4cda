import { messageOf, systemCodeOf } from "@threatbus/core";

const CERTIFICATE = "opencti.ca can name the authority that signed OpenCTI's certificate";
/** What can be done about failures whose words do not say it. By the codes of Node's TLS. */
const HINTS: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: CERTIFICATE,
  UNABLE_TO_GET_ISSUER_CERT: CERTIFICATE,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CERTIFICATE,
  SELF_SIGNED_CERT_IN_CHAIN: CERTIFICATE,
  DEPTH_ZERO_SELF_SIGNED_CERT: CERTIFICATE,
  ERR_SSL_WRONG_VERSION_NUMBER: "there is no TLS at this address: does opencti.url begin with http:// ?",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "there is no TLS at this address: does opencti.url begin with http:// ?",
};

/** Why there is no connection to OpenCTI, on one line, and what to do where that is known. */
export function connectionFailure(error: unknown): string {
  const hint = HINTS[systemCodeOf(error) ?? ""];
  const [why = ""] = messageOf(firstOf(error)).trim().split("\n");
  return hint === undefined ? why : `${why}; ${hint}`;
}

/** A failed connection to several addresses has its reasons in a list, and no message. */
function firstOf(error: unknown): unknown {
  if (!(error instanceof AggregateError) || error.message !== "") return error;
  return new Error(error.errors.map(messageOf).join(", "));
}

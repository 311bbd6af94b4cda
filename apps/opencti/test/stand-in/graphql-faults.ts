/** What the stand-in's GraphQL can be told to do wrong, or in its own way. Changed while it runs. */
export interface GraphqlFaults {
  /** How errors look. */
  shape: "5" | "6";
  /** Answers so many calls with a page of a proxy. */
  badGateway: number;
  /** Answers each call with this status and nothing else. */
  status?: number | undefined;
  /** Answers so many calls of that field (of any without one) with this code, and does nothing. */
  errors: { code: string; times: number; field?: string; docCode?: string }[];
  /** Does so many calls of that field, and ends the connection instead of answering. */
  lost: { times: number; field: string } | undefined;
  /** Never answers calls of that field; they are done. */
  mute?: string | undefined;
  /** Milliseconds before each answer. */
  delay: number;
  /** Confidence that the user may give at most. */
  maxConfidence: number;
  /** What an administrator has set instead of the connector's state; told once. */
  reset?: { readonly state: string | null } | undefined;
  /** Hears of each call before it is answered; the call waits for it. */
  onCall?: ((field: string) => void | Promise<void>) | undefined;
}

export function noGraphqlFaults(): GraphqlFaults {
  return { shape: "6", badGateway: 0, errors: [], lost: undefined, delay: 0, maxConfidence: 100 };
}

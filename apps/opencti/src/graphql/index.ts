/** The way to OpenCTI's GraphQL: calls with typed answers, and failures that say what to do. */
export { OpenctiApi } from "./api.ts";
export { backoff, GraphqlClient, type RetryOptions } from "./client.ts";
export { OpenctiError } from "./errors.ts";
export type { ConnectorInput, IndicatorInput, SightingInput } from "./inputs.ts";
export type { Me } from "./operations.ts";
export { HttpTransport, type TransportOptions } from "./transport.ts";

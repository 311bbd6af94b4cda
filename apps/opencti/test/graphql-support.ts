/** A stand-in with GraphQL, and calls that reach it. */
import type { TestContext } from "node:test";
import { Agent } from "undici";
import { GraphqlClient, HttpTransport, OpenctiApi, type RetryOptions } from "../src/graphql/index.ts";
import { createGraphql, type GraphqlStandIn } from "./stand-in/graphql.ts";
import { OpenctiStandIn } from "./stand-in/server.ts";
import { OpenctiState } from "./stand-in/state.ts";

export const TOKEN = "f47ac10b-58cc-4372-a567-0e02b2c3d479";

export interface GraphqlSite extends GraphqlStandIn {
  readonly state: OpenctiState;
  readonly server: OpenctiStandIn;
  readonly api: OpenctiApi;
  /** Never aborted. */
  readonly signal: AbortSignal;
}

export interface SiteOptions {
  readonly retry?: RetryOptions;
  readonly capabilities?: readonly string[];
  /** Milliseconds for one call. */
  readonly timeout?: number;
  readonly maxReplyBytes?: number;
  readonly base?: string;
}

/** Calls are tried once unless `retry` says otherwise. */
export async function startSite(t: TestContext, options: SiteOptions = {}): Promise<GraphqlSite> {
  const { retry = { attempts: 1 }, capabilities, timeout = 20_000, maxReplyBytes = 1_000_000, base } = options;
  const state = new OpenctiState();
  state.addUser(TOKEN, capabilities);
  const standIn = createGraphql(state);
  const server = new OpenctiStandIn({ state, graphql: () => standIn.handler, ...(base === undefined ? {} : { base }) });
  await server.listen();
  const dispatcher = new Agent();
  t.after(async () => {
    await dispatcher.destroy();
    await server.close();
  });
  const transport = new HttpTransport({ url: `${server.url}/`, token: TOKEN, dispatcher, timeout, maxReplyBytes });
  const api = new OpenctiApi(new GraphqlClient(transport, { min: 1, max: 5, ...retry }));
  return { ...standIn, state, server, api, signal: new AbortController().signal };
}

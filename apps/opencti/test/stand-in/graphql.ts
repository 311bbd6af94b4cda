/**
 * Stands in for OpenCTI's `POST /graphql` (6.x, and the errors of 5.x). Every document is validated against the schema and
 * every variable is coerced, as OpenCTI's server does; what OpenCTI checks beyond that is in graphql-entities.ts. It knows
 * only what spec/opencti.md tells: fields that the connector has no use for are not there, and nothing was compared with
 * a running OpenCTI.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type DocumentNode, execute, GraphQLError, getVariableValues, Kind, parse, validate } from "graphql";
import { Entities } from "./graphql-entities.ts";
import { errorBody, Refusal } from "./graphql-errors.ts";
import { type GraphqlFaults, noGraphqlFaults } from "./graphql-faults.ts";
import { type Caller, createResolvers } from "./graphql-resolvers.ts";
import { CAPABILITIES, schema } from "./schema.ts";
import type { GraphqlHandler } from "./server.ts";
import type { OpenctiState, StandInUser } from "./state.ts";

/** One call, as it came. */
export interface Call {
  readonly field: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

export interface GraphqlStandIn {
  readonly handler: GraphqlHandler;
  readonly faults: GraphqlFaults;
  readonly entities: Entities;
  /** All calls that were valid and allowed, in order. */
  readonly calls: Call[];
  /** Documents and variables that were not valid; a test that meant none finds it empty. */
  readonly invalid: string[];
}

/** For `OpenctiStandIn`, as it is. */
export function createGraphqlHandler(state: OpenctiState): GraphqlHandler {
  return createGraphql(state).handler;
}

export function createGraphql(state: OpenctiState): GraphqlStandIn {
  const faults = noGraphqlFaults();
  const entities = new Entities(state);
  const calls: Call[] = [];
  const invalid: string[] = [];
  const rootValue = createResolvers(entities, faults);
  const handler: GraphqlHandler = async (request, response, body) => {
    if (faults.status !== undefined) return void response.writeHead(faults.status).end();
    if (faults.badGateway > 0) {
      faults.badGateway -= 1;
      return badGateway(response);
    }
    const document = readDocument(body);
    if ("errors" in document) {
      invalid.push(...document.errors);
      return send(response, 400, { errors: document.errors.map(asValidationError) });
    }
    const { field, node, variables } = document;
    const user = userOf(state, request);
    await faults.onCall?.(field);
    const refusal = refusalOf(faults, field, user);
    if (refusal !== undefined) return send(response, 200, errorBody(faults.shape, refusal, field));
    calls.push({ field, variables });
    const contextValue: Caller = { user: user ?? { id: "", token: "", capabilities: [] } };
    const result = await execute({ schema, document: node, rootValue, contextValue, variableValues: variables });
    if (await isLost(faults, field, response)) return;
    if (faults.delay > 0) await sleep(faults.delay);
    const [error] = result.errors ?? [];
    if (error === undefined) return send(response, 200, result);
    const cause = error.originalError;
    if (!(cause instanceof Refusal)) throw error;
    send(response, 200, errorBody(faults.shape, cause, field));
  };
  return { handler, faults, entities, calls, invalid };
}

/** The document's one field, or what is wrong with the document. */
function readDocument(
  body: string,
): { field: string; node: DocumentNode; variables: Record<string, unknown> } | { errors: string[] } {
  try {
    const { query, variables = {} } = JSON.parse(body);
    const node = parse(query);
    const errors = validate(schema, node);
    if (errors.length > 0) return { errors: errors.map(({ message }) => message) };
    const [operation] = node.definitions;
    if (operation?.kind !== Kind.OPERATION_DEFINITION) return { errors: ["there is no operation"] };
    const coerced = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
    if (coerced.errors !== undefined) return { errors: coerced.errors.map(({ message }) => message) };
    const declared = new Set((operation.variableDefinitions ?? []).map(({ variable }) => variable.name.value));
    const unused = Object.keys(variables).filter((name) => !declared.has(name));
    if (unused.length > 0) return { errors: [`variables that are not declared: ${unused.join(", ")}`] };
    const [selection] = operation.selectionSet.selections;
    const field = selection?.kind === Kind.FIELD ? selection.name.value : "";
    return { field, node, variables };
  } catch (error) {
    if (error instanceof GraphQLError || error instanceof SyntaxError) return { errors: [error.message] };
    throw error;
  }
}

function asValidationError(message: string): object {
  return { message, extensions: { code: "GRAPHQL_VALIDATION_FAILED" } };
}

function userOf(state: OpenctiState, request: IncomingMessage): StandInUser | undefined {
  return state.userOf(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1]);
}

function refusalOf(faults: GraphqlFaults, field: string, user: StandInUser | undefined): Refusal | undefined {
  const planned = faults.errors.find((error) => error.times > 0 && (error.field ?? field) === field);
  if (planned !== undefined) {
    planned.times -= 1;
    return new Refusal(planned.code, `planned: ${planned.code}`, planned.docCode);
  }
  if (user === undefined) return new Refusal("AUTH_REQUIRED", "You must be logged in to do this.");
  const needed = CAPABILITIES[field];
  const isAble = user.capabilities.some(
    (name) => name === "BYPASS" || needed === undefined || name === needed || name.startsWith(`${needed}_`),
  );
  return isAble ? undefined : new Refusal("FORBIDDEN_ACCESS", "You are not allowed to do this.");
}

/** The call was done, and nobody hears of it. */
async function isLost(faults: GraphqlFaults, field: string, response: ServerResponse): Promise<boolean> {
  if (faults.mute === field) return true;
  const { lost } = faults;
  if (lost === undefined || lost.field !== field || lost.times === 0) return false;
  lost.times -= 1;
  response.destroy();
  return true;
}

function badGateway(response: ServerResponse): void {
  response.writeHead(502, { "content-type": "text/html" }).end("<html><body><h1>502 Bad Gateway</h1></body></html>");
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(body));
}

/** The fields of the schema, on top of the entities. */
import { randomUUID } from "node:crypto";
import { type Entities, type Input, internalId, marksOf } from "./graphql-entities.ts";
import { Refusal } from "./graphql-errors.ts";
import type { GraphqlFaults } from "./graphql-faults.ts";
import type { StandInUser, StixData } from "./state.ts";

/** Who calls. */
export interface Caller {
  readonly user: StandInUser;
}

type Resolver = (args: Input, caller: Caller) => unknown;

interface Filter {
  readonly key: readonly string[];
  readonly operator?: string;
  readonly values: readonly string[];
}

export function createResolvers(entities: Entities, faults: GraphqlFaults): Readonly<Record<string, Resolver>> {
  const states = new Map<string, string | null>();
  return {
    me: (_, { user }) => ({
      id: user.id,
      name: "Threat Bus connector",
      user_email: "threatbus@example.org",
      capabilities: user.capabilities.map((name) => ({ name })),
      allowed_marking: [...entities.markings].map(([id, definition]) => ({ id, standard_id: id, definition })),
    }),
    about: () => ({ version: faults.shape === "5" ? "5.12.32" : "6.8.10" }),
    indicator: ({ id }) => shown(entities.indicator(String(id))),
    indicators: (args) => page(select(entities.indicators(), args, INDICATOR_KEYS), args),
    organizations: (args) => page(select(entities.organizations(), args, ORGANIZATION_KEYS), args),
    indicatorAdd: ({ input }, { user }) => shown(entities.addIndicator(checked(input as Input, faults), user)),
    indicatorFieldPatch: ({ id, input }, { user }) =>
      shown(entities.patchIndicator(String(id), input as Input[], user)),
    indicatorDelete: ({ id }, { user }) => entities.deleteIndicator(String(id), user),
    organizationAdd: ({ input }) => shown(entities.addOrganization(input as Input)),
    stixSightingRelationshipAdd: ({ input }, { user }) =>
      shown(entities.addSighting(checked(input as Input, faults), user)),
    labelAdd: ({ input }) => ({ id: idOf(entities.labels, (input as Input).value), value: (input as Input).value }),
    externalReferenceAdd: ({ input }) => {
      const id = randomUUID();
      entities.externalReferences.set(id, input as Input);
      return { id, ...(input as Input) };
    },
    registerConnector: ({ input }) => {
      const { id } = input as { id: string };
      if (!states.has(id)) states.set(id, null);
      return { id, connector_state: states.get(id) };
    },
    pingConnector: ({ id, state }) => {
      const known = String(id);
      if (!states.has(known)) throw new Refusal("FUNCTIONAL_ERROR", "No connector found with the specified ID");
      const { reset } = faults;
      faults.reset = undefined;
      states.set(known, reset === undefined ? ((state as string | null) ?? null) : reset.state);
      return { id: known, connector_state: states.get(known) };
    },
  };
}

function idOf(labels: Map<string, string>, value: unknown): string {
  for (const [id, known] of labels) if (known === value) return id;
  const id = randomUUID();
  labels.set(id, String(value));
  return id;
}

function checked(input: Input, { maxConfidence }: GraphqlFaults): Input {
  if (Number(input.confidence ?? 0) <= maxConfidence) return input;
  throw new Refusal("INSUFFICIENT_CONFIDENCE_LEVEL", "User has insufficient confidence level");
}

/** An object as GraphQL shows it. */
function shown(data: StixData | undefined): object | null {
  if (data === undefined) return null;
  const marks = marksOf(data);
  return {
    ...data,
    id: internalId(data),
    standard_id: data.id,
    x_opencti_stix_ids: marks.stix_ids,
    entity_type: data.type === "indicator" ? "Indicator" : data.type,
    parent_types: [],
    x_opencti_score: marks.score,
    x_opencti_detection: marks.detection === true || marks.detection === "True",
    x_opencti_main_observable_type: marks.main_observable_type,
    toStix: JSON.stringify(data),
  };
}

type Reader = (data: StixData) => string;
const INDICATOR_KEYS: Readonly<Record<string, Reader>> = {
  pattern: (data) => String(data.pattern),
  modified: (data) => String(data.modified),
  x_opencti_detection: (data) => String(marksOf(data).detection).toLowerCase(),
};
const ORGANIZATION_KEYS: Readonly<Record<string, Reader>> = { name: (data) => String(data.name) };

function select(all: readonly StixData[], args: Input, keys: Readonly<Record<string, Reader>>): StixData[] {
  const { filters = [] } = (args.filters ?? {}) as { filters?: readonly Filter[] };
  const fits = (data: StixData): boolean =>
    filters.every(({ key, operator = "eq", values }) => {
      const [name = ""] = key;
      const read = keys[name];
      if (read === undefined || key.length !== 1)
        throw new Refusal("UNSUPPORTED_ERROR", `Incorrect filter key: ${key}`);
      const value = read(data);
      return values.some((wanted) => (operator === "gt" ? value > wanted : value === wanted));
    });
  const found = all.filter(fits);
  return args.orderBy === "modified" ? found.sort((a, b) => (String(a.modified) < String(b.modified) ? -1 : 1)) : found;
}

function page(found: readonly StixData[], { first = 500, after }: Input): object {
  const start = Number(after ?? 0);
  const end = Math.min(found.length, start + Number(first));
  const edges = found.slice(start, end).map((data) => ({ cursor: String(end), node: shown(data) }));
  const pageInfo = { startCursor: String(start), endCursor: String(end), hasNextPage: end < found.length };
  return { edges, pageInfo: { ...pageInfo, hasPreviousPage: start > 0, globalCount: found.length } };
}

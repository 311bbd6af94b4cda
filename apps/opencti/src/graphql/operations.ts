/** The documents that this connector sends; no others. */
import { z } from "zod";
import type {
  ConnectorInfo,
  ConnectorInput,
  ExternalReferenceInput,
  FilterGroup,
  IndicatorInput,
  OrganizationInput,
  SightingInput,
} from "./inputs.ts";
import { operation } from "./operation.ts";

const WRITE = "KNOWLEDGE_KNUPDATE";

const id = z.string().min(1).max(500);
const withId = z.object({ id });
const entity = z.object({ id, standard_id: id });
const connection = <Node extends z.ZodType>(node: Node) => z.object({ edges: z.array(z.object({ node })) });

export const me = operation<Record<string, never>>()({
  name: "me",
  text: "query Me { me { id name capabilities { name } allowed_marking { standard_id definition } } }",
  data: z.object({
    me: z.object({
      id,
      name: z.string(),
      capabilities: z.array(z.object({ name: z.string() })),
      allowed_marking: z.array(z.object({ standard_id: id, definition: z.string().nullish() })).nullish(),
    }),
  }),
});
export type Me = z.infer<typeof me.data>["me"];

export const about = operation<Record<string, never>>()({
  name: "about",
  text: "query About { about { version } }",
  data: z.object({ about: z.object({ version: z.string() }) }),
});

const indicatorFields = "id standard_id revoked modified";
const indicatorNode = z.object({
  ...entity.shape,
  revoked: z.boolean().nullish(),
  modified: z.string().nullish(),
});
export type KnownIndicator = z.infer<typeof indicatorNode>;

export const indicator = operation<{ id: string }>()({
  name: "indicator",
  capability: "KNOWLEDGE",
  text: `query Indicator($id: String!) { indicator(id: $id) { ${indicatorFields} } }`,
  data: z.object({ indicator: indicatorNode.nullable() }),
});

export const indicatorsLike = operation<{ filters: FilterGroup }>()({
  name: "indicators",
  capability: "KNOWLEDGE",
  text: `query IndicatorsLike($filters: FilterGroup) { indicators(first: 1, filters: $filters) { edges { node { ${indicatorFields} } } } }`,
  data: z.object({ indicators: connection(indicatorNode) }),
});

export const indicatorPage = operation<{ first: number; after: string | null; filters: FilterGroup }>()({
  name: "indicators",
  capability: "KNOWLEDGE",
  text: `query IndicatorPage($first: Int, $after: ID, $filters: FilterGroup) {
    indicators(first: $first, after: $after, orderBy: modified, orderMode: asc, toStix: true, filters: $filters) {
      edges { node { id toStix } } pageInfo { endCursor hasNextPage } } }`,
  data: z.object({
    indicators: z.object({
      ...connection(z.object({ id, toStix: z.string().nullish() })).shape,
      pageInfo: z.object({ endCursor: z.string().nullish(), hasNextPage: z.boolean() }),
    }),
  }),
});

export const indicatorAdd = operation<{ input: IndicatorInput }>()({
  name: "indicatorAdd",
  capability: WRITE,
  text: "mutation IndicatorAdd($input: IndicatorAddInput!) { indicatorAdd(input: $input) { id standard_id } }",
  data: z.object({ indicatorAdd: entity }),
});

export const indicatorFieldPatch = operation<{ id: string; input: { key: string; value: string[] }[] }>()({
  name: "indicatorFieldPatch",
  capability: WRITE,
  text: "mutation IndicatorPatch($id: ID!, $input: [EditInput!]!) { indicatorFieldPatch(id: $id, input: $input) { id } }",
  data: z.object({ indicatorFieldPatch: withId.nullish() }),
});

export const indicatorDelete = operation<{ id: string }>()({
  name: "indicatorDelete",
  capability: "KNOWLEDGE_KNUPDATE_KNDELETE",
  text: "mutation IndicatorDelete($id: ID!) { indicatorDelete(id: $id) }",
  data: z.object({ indicatorDelete: z.string().nullish() }),
});

export const organizationsNamed = operation<{ filters: FilterGroup }>()({
  name: "organizations",
  capability: "KNOWLEDGE",
  text: `query OrganizationsNamed($filters: FilterGroup) {
    organizations(first: 1, filters: $filters) { edges { node { id standard_id name } } } }`,
  data: z.object({ organizations: connection(z.object({ ...entity.shape, name: z.string() })) }),
});

export const organizationAdd = operation<{ input: OrganizationInput }>()({
  name: "organizationAdd",
  capability: WRITE,
  text: "mutation OrganizationAdd($input: OrganizationAddInput!) { organizationAdd(input: $input) { id standard_id } }",
  data: z.object({ organizationAdd: entity }),
});

export const sightingAdd = operation<{ input: SightingInput }>()({
  name: "stixSightingRelationshipAdd",
  capability: WRITE,
  text: `mutation SightingAdd($input: StixSightingRelationshipAddInput!) {
    stixSightingRelationshipAdd(input: $input) { id standard_id } }`,
  data: z.object({ stixSightingRelationshipAdd: entity }),
});

export const labelAdd = operation<{ input: { value: string; update: true } }>()({
  name: "labelAdd",
  capability: WRITE,
  text: "mutation LabelAdd($input: LabelAddInput!) { labelAdd(input: $input) { id } }",
  data: z.object({ labelAdd: withId }),
});

export const externalReferenceAdd = operation<{ input: ExternalReferenceInput }>()({
  name: "externalReferenceAdd",
  capability: WRITE,
  text: "mutation ReferenceAdd($input: ExternalReferenceAddInput!) { externalReferenceAdd(input: $input) { id } }",
  data: z.object({ externalReferenceAdd: withId }),
});

const connectorState = z.object({ id, connector_state: z.string().nullish() });

export const registerConnector = operation<{ input: ConnectorInput }>()({
  name: "registerConnector",
  capability: "CONNECTORAPI",
  text: "mutation Register($input: RegisterConnectorInput) { registerConnector(input: $input) { id connector_state } }",
  data: z.object({ registerConnector: connectorState }),
});

export const pingConnector = operation<{ id: string; state: string | null; connectorInfo: ConnectorInfo }>()({
  name: "pingConnector",
  capability: "CONNECTORAPI",
  text: `mutation Ping($id: ID!, $state: String, $connectorInfo: ConnectorInfoInput) {
    pingConnector(id: $id, state: $state, connectorInfo: $connectorInfo) { id connector_state } }`,
  data: z.object({ pingConnector: connectorState }),
});

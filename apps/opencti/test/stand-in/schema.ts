/** OpenCTI's GraphQL schema as far as spec/opencti.md section 2 tells it: names, types and what is required. */
import { buildSchema } from "graphql";

const INDICATOR = /* GraphQL */ `
  type Indicator {
    id: ID!
    standard_id: String!
    x_opencti_stix_ids: [String]
    entity_type: String!
    parent_types: [String]!
    name: String!
    pattern: String
    pattern_type: String
    valid_from: DateTime
    valid_until: DateTime
    revoked: Boolean!
    confidence: Int
    x_opencti_score: Int
    x_opencti_detection: Boolean
    x_opencti_main_observable_type: String
    created: DateTime
    modified: DateTime
    updated_at: DateTime
    objectLabel: [Label]
    toStix: String
  }
  type IndicatorEdge { cursor: String! node: Indicator! }
  type IndicatorConnection { pageInfo: PageInfo! edges: [IndicatorEdge!]! }
  enum IndicatorsOrdering { name valid_from created modified }
  input IndicatorAddInput {
    stix_id: String
    x_opencti_stix_ids: [String]
    name: String!
    pattern: String!
    pattern_type: String!
    pattern_version: String
    description: String
    lang: String
    indicator_types: [String]
    valid_from: DateTime
    valid_until: DateTime
    confidence: Int
    x_opencti_score: Int
    x_opencti_detection: Boolean
    x_opencti_main_observable_type: String
    x_mitre_platforms: [String]
    revoked: Boolean
    created: DateTime
    modified: DateTime
    createdBy: String
    objectMarking: [String]
    objectLabel: [String]
    objectOrganization: [String]
    externalReferences: [String]
    killChainPhases: [String]
    update: Boolean
    createObservables: Boolean
    basedOn: Boolean
  }
`;

const OTHERS = /* GraphQL */ `
  scalar DateTime
  type PageInfo { startCursor: String! endCursor: String! hasNextPage: Boolean! hasPreviousPage: Boolean! globalCount: Int! }
  enum FilterMode { and or }
  enum FilterOperator { eq not_eq gt gte lt lte }
  enum OrderingMode { asc desc }
  input Filter { key: [String!]! values: [String!]! operator: FilterOperator mode: FilterMode }
  input FilterGroup { mode: FilterMode! filters: [Filter!]! filterGroups: [FilterGroup!]! }
  input EditInput { key: String! value: [String]! operation: String }

  type Capability { name: String! }
  type MarkingDefinition { id: ID! standard_id: String! definition: String }
  type MeUser {
    id: ID!
    name: String!
    user_email: String!
    individual_id: String
    capabilities: [Capability!]!
    allowed_marking: [MarkingDefinition!]
  }
  type AppInfo { version: String! }
  type Label { id: ID! value: String }
  input LabelAddInput { value: String! color: String update: Boolean }
  type ExternalReference { id: ID! source_name: String! url: String external_id: String }
  input ExternalReferenceAddInput { source_name: String! url: String external_id: String description: String }

  type Organization { id: ID! standard_id: String! name: String! }
  type OrganizationEdge { node: Organization! }
  type OrganizationConnection { pageInfo: PageInfo! edges: [OrganizationEdge!]! }
  input OrganizationAddInput {
    stix_id: String
    name: String!
    description: String
    contact_information: String
    roles: [String]
    x_opencti_aliases: [String]
    confidence: Int
    createdBy: String
    objectMarking: [String]
    update: Boolean
  }

  type StixSightingRelationship { id: ID! standard_id: String! entity_type: String! parent_types: [String]! }
  input StixSightingRelationshipAddInput {
    fromId: String!
    toId: String!
    createdBy: String
    stix_id: String
    first_seen: DateTime
    last_seen: DateTime
    attribute_count: Int!
    confidence: Int
    x_opencti_negative: Boolean
    description: String
    objectMarking: [String]
    update: Boolean
  }

  enum ConnectorType { EXTERNAL_IMPORT INTERNAL_ENRICHMENT STREAM }
  type ConnectorInfo { queue_messages_size: Float! buffering: Boolean! }
  type Connector { id: ID! connector_state: String connector_user_id: ID connector_info: ConnectorInfo }
  input RegisterConnectorInput {
    id: ID!
    name: String!
    type: ConnectorType!
    scope: [String!]
    auto: Boolean
    only_contextual: Boolean
    playbook_compatible: Boolean
  }
  input ConnectorInfoInput {
    run_and_terminate: Boolean!
    buffering: Boolean!
    queue_threshold: Float!
    queue_messages_size: Float!
    next_run_datetime: DateTime
    last_run_datetime: DateTime
  }

  type Query {
    me: MeUser
    about: AppInfo
    indicator(id: String!): Indicator
    indicators(
      first: Int
      after: ID
      orderBy: IndicatorsOrdering
      orderMode: OrderingMode
      filters: FilterGroup
      toStix: Boolean
    ): IndicatorConnection
    organizations(first: Int, after: ID, filters: FilterGroup): OrganizationConnection
  }
  type Mutation {
    indicatorAdd(input: IndicatorAddInput!): Indicator
    indicatorFieldPatch(id: ID!, input: [EditInput!]!): Indicator
    indicatorDelete(id: ID!): ID
    organizationAdd(input: OrganizationAddInput!): Organization
    stixSightingRelationshipAdd(input: StixSightingRelationshipAddInput!): StixSightingRelationship
    labelAdd(input: LabelAddInput!): Label
    externalReferenceAdd(input: ExternalReferenceAddInput!): ExternalReference
    registerConnector(input: RegisterConnectorInput): Connector
    pingConnector(id: ID!, state: String, connectorInfo: ConnectorInfoInput): Connector
  }
`;

export const schema = buildSchema(INDICATOR + OTHERS);

/** What a user needs for a field; those that are not here need only a login. */
export const CAPABILITIES: Readonly<Record<string, string>> = {
  indicator: "KNOWLEDGE",
  indicators: "KNOWLEDGE",
  organizations: "KNOWLEDGE",
  indicatorAdd: "KNOWLEDGE_KNUPDATE",
  indicatorFieldPatch: "KNOWLEDGE_KNUPDATE",
  indicatorDelete: "KNOWLEDGE_KNUPDATE_KNDELETE",
  organizationAdd: "KNOWLEDGE_KNUPDATE",
  stixSightingRelationshipAdd: "KNOWLEDGE_KNUPDATE",
  labelAdd: "KNOWLEDGE_KNUPDATE",
  externalReferenceAdd: "KNOWLEDGE_KNUPDATE",
  registerConnector: "CONNECTORAPI",
  pingConnector: "CONNECTORAPI",
};

import type { GraphqlClient } from "./client.ts";
import type {
  ConnectorInfo,
  ConnectorInput,
  ExternalReferenceInput,
  FilterGroup,
  IndicatorInput,
  OrganizationInput,
  SightingInput,
} from "./inputs.ts";
import type { KnownIndicator, Me } from "./operations.ts";
import * as operations from "./operations.ts";

/** STIX texts of one page, and where the next one begins. */
export interface IndicatorPage {
  /** null: OpenCTI gave none for that indicator. */
  readonly objects: readonly (string | null)[];
  /** undefined: that was the last. */
  readonly next: string | undefined;
}

export interface PageQuestion {
  readonly after: string | undefined;
  readonly first: number;
  /** RFC 3339; only indicators modified later. */
  readonly since: string;
  readonly onlyDetection: boolean;
}

/** What this connector asks of OpenCTI. All methods throw OpenctiError, and the signal's reason. */
export class OpenctiApi {
  readonly #client: GraphqlClient;

  constructor(client: GraphqlClient) {
    this.#client = client;
  }

  async me(signal: AbortSignal): Promise<Me> {
    return (await this.#client.call(operations.me, {}, signal)).me;
  }

  async version(signal: AbortSignal): Promise<string> {
    return (await this.#client.call(operations.about, {}, signal)).about.version;
  }

  /** @param id internal, standard or STIX id */
  async findIndicator(id: string, signal: AbortSignal): Promise<KnownIndicator | undefined> {
    return (await this.#client.call(operations.indicator, { id }, signal)).indicator ?? undefined;
  }

  /** An indicator with one of these patterns. */
  async findPattern(patterns: readonly string[], signal: AbortSignal): Promise<KnownIndicator | undefined> {
    const variables = { filters: where({ key: ["pattern"], values: patterns }) };
    return (await this.#client.call(operations.indicatorsLike, variables, signal)).indicators.edges[0]?.node;
  }

  async indicatorPage(
    { after, first, since, onlyDetection }: PageQuestion,
    signal: AbortSignal,
  ): Promise<IndicatorPage> {
    const newer = { key: ["modified"], operator: "gt", values: [since] };
    const detection = { key: ["x_opencti_detection"], values: ["true"] };
    const filters = onlyDetection ? where(newer, detection) : where(newer);
    const variables = { first, after: after ?? null, filters };
    const { edges, pageInfo } = (await this.#client.call(operations.indicatorPage, variables, signal)).indicators;
    const next = pageInfo.hasNextPage ? (pageInfo.endCursor ?? undefined) : undefined;
    return { objects: edges.map(({ node }) => node.toStix ?? null), next };
  }

  /** Creates it, or changes the one with the same pattern. @returns its internal id */
  async addIndicator(input: IndicatorInput, signal: AbortSignal): Promise<string> {
    return (await this.#client.call(operations.indicatorAdd, { input }, signal)).indicatorAdd.id;
  }

  /** @param id internal id */
  async revokeIndicator(id: string, signal: AbortSignal): Promise<void> {
    const input = [
      { key: "revoked", value: ["true"] },
      { key: "x_opencti_detection", value: ["false"] },
    ];
    await this.#client.call(operations.indicatorFieldPatch, { id, input }, signal);
  }

  /** @param id internal id */
  async deleteIndicator(id: string, signal: AbortSignal): Promise<void> {
    await this.#client.call(operations.indicatorDelete, { id }, signal);
  }

  /** @returns its internal id */
  async findOrganization(name: string, signal: AbortSignal): Promise<string | undefined> {
    const variables = { filters: where({ key: ["name"], values: [name] }) };
    return (await this.#client.call(operations.organizationsNamed, variables, signal)).organizations.edges[0]?.node.id;
  }

  async addOrganization(input: OrganizationInput, signal: AbortSignal): Promise<string> {
    return (await this.#client.call(operations.organizationAdd, { input }, signal)).organizationAdd.id;
  }

  async addSighting(input: SightingInput, signal: AbortSignal): Promise<void> {
    await this.#client.call(operations.sightingAdd, { input }, signal);
  }

  async addLabel(value: string, signal: AbortSignal): Promise<string> {
    return (await this.#client.call(operations.labelAdd, { input: { value, update: true } }, signal)).labelAdd.id;
  }

  async addExternalReference(input: ExternalReferenceInput, signal: AbortSignal): Promise<string> {
    return (await this.#client.call(operations.externalReferenceAdd, { input }, signal)).externalReferenceAdd.id;
  }

  /** @returns the state that OpenCTI keeps for the connector */
  async register(input: ConnectorInput, signal: AbortSignal): Promise<string | undefined> {
    const { registerConnector } = await this.#client.call(operations.registerConnector, { input }, signal);
    return registerConnector.connector_state ?? undefined;
  }

  /** @returns the state as it is after the call: another than the one told when an administrator has reset it */
  async ping(
    id: string,
    state: string | undefined,
    connectorInfo: ConnectorInfo,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const variables = { id, state: state ?? null, connectorInfo };
    const { pingConnector } = await this.#client.call(operations.pingConnector, variables, signal);
    return pingConnector.connector_state ?? undefined;
  }
}

function where(...filters: FilterGroup["filters"]): FilterGroup {
  return { mode: "and", filters, filterGroups: [] };
}

import type { OpenctiApi } from "../graphql/index.ts";

export interface OrganizationOptions {
  readonly name: string;
  /** Of the organization when it is made. */
  readonly description: string;
}

/** The organization in OpenCTI that has seen what is reported: found by its name, made if it is missing. */
export class Organization {
  readonly #api: OpenctiApi;
  readonly #options: OrganizationOptions;
  #id: string | undefined;

  constructor(api: OpenctiApi, options: OrganizationOptions) {
    this.#api = api;
    this.#options = options;
  }

  /** Its internal id. @throws OpenctiError; the signal's reason */
  async id(signal: AbortSignal): Promise<string> {
    return this.#id ?? this.refresh(signal);
  }

  /** Looks for it again: it may have been deleted or merged with another one. @throws OpenctiError; the signal's reason */
  async refresh(signal: AbortSignal): Promise<string> {
    const { name, description } = this.#options;
    const found = await this.#api.findOrganization(name, signal);
    // An upsert: two connectors that do this at once get the same one.
    this.#id = found ?? (await this.#api.addOrganization({ name, description, update: true }, signal));
    return this.#id;
  }
}

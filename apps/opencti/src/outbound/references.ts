import type { Indicator } from "@threatbus/stix";
import type { OpenctiApi } from "../graphql/index.ts";

const MAX_LABELS = 50;
const MAX_REFERENCES = 20;
const MAX_TEXT = 2_000;
/** Ids remembered of each kind; the one used longest ago is asked for again. */
const MAX_REMEMBERED = 5_000;

/** What an indicator only names and OpenCTI keeps as objects: labels and external references. */
export class References {
  readonly #api: OpenctiApi;
  readonly #labels = new Map<string, string>();
  readonly #externals = new Map<string, string>();

  constructor(api: OpenctiApi) {
    this.#api = api;
  }

  /** Ids of the labels in OpenCTI, made where missing. @throws OpenctiError; the signal's reason */
  async labelIds(indicator: Indicator, signal: AbortSignal): Promise<string[]> {
    const values = (indicator.labels ?? [])
      .map((label) => label.trim().slice(0, MAX_TEXT))
      .filter((label) => label !== "");
    const ids: string[] = [];
    for (const value of new Set(values.slice(0, MAX_LABELS))) {
      ids.push(await remembered(this.#labels, value, () => this.#api.addLabel(value, signal)));
    }
    return ids;
  }

  /** Ids of the external references in OpenCTI. Those with neither an address nor an id say nothing there. */
  async externalIds(indicator: Indicator, signal: AbortSignal): Promise<string[]> {
    const ids: string[] = [];
    for (const { source_name, url, external_id } of (indicator.external_references ?? []).slice(0, MAX_REFERENCES)) {
      if (url === undefined && external_id === undefined) continue;
      const input = {
        source_name,
        ...(url === undefined ? {} : { url }),
        ...(external_id === undefined ? {} : { external_id }),
      };
      const key = JSON.stringify([source_name, url, external_id]);
      ids.push(await remembered(this.#externals, key, () => this.#api.addExternalReference(input, signal)));
    }
    return [...new Set(ids)];
  }

  /** Asks for all of them again: one may have been deleted. */
  forget(): void {
    this.#labels.clear();
    this.#externals.clear();
  }
}

async function remembered(ids: Map<string, string>, key: string, ask: () => Promise<string>): Promise<string> {
  const id = ids.get(key) ?? (await ask());
  ids.delete(key);
  ids.set(key, id);
  const [oldest = key] = ids.keys();
  if (ids.size > MAX_REMEMBERED) ids.delete(oldest);
  return id;
}

import type { Logger } from "@threatbus/core";
import type { Me, OpenctiApi } from "../graphql/index.ts";
import type { Loops } from "../loops.ts";
import { Markings } from "./mapping/markings.ts";

/** A capability that the configured work needs, and what for. */
export interface Need {
  readonly capability: string;
  readonly purpose: string;
}

export interface AccountParts {
  readonly api: OpenctiApi;
  readonly loops: Loops;
  readonly logger: Logger;
  readonly needs: readonly Need[];
}

/** The user whose token the connector has. */
export class Account {
  readonly #parts: AccountParts;
  #markings = new Markings([]);
  #told: string | undefined;
  #mayWrite = false;

  constructor(parts: AccountParts) {
    this.#parts = parts;
  }

  /** The markings that the user may use, as of the last `check`. */
  get markings(): Markings {
    return this.#markings;
  }

  /** Whether the user may write what everybody sees, as of the last `check`. */
  get mayWrite(): boolean {
    return this.#mayWrite;
  }

  /** Asks OpenCTI who we are; says once what the user may not do. @throws OpenctiError; the signal's reason */
  async check(signal: AbortSignal): Promise<void> {
    const { api, loops } = this.#parts;
    const me = await api.me(signal);
    loops.ownUserId = me.id;
    this.#markings = new Markings(me.allowed_marking);
    this.#mayWrite = isAble(me, "KNOWLEDGE_KNUPDATE");
    this.#tell(me);
  }

  #tell(me: Me): void {
    const { logger, needs } = this.#parts;
    const missing = needs.filter(({ capability }) => !isAble(me, capability));
    const told = JSON.stringify([me.id, missing]);
    if (told === this.#told) return;
    this.#told = told;
    logger.info({ user: me.name, user_id: me.id }, "working in OpenCTI as");
    for (const { capability, purpose } of missing) {
      logger.error({ user: me.name, capability }, `the user of OpenCTI lacks the capability ${capability}: ${purpose}`);
    }
  }
}

/** A capability includes those that its name begins with: KNOWLEDGE_KNUPDATE_KNDELETE may update. */
function isAble({ capabilities }: Me, wanted: string): boolean {
  return capabilities.some(({ name }) => name === "BYPASS" || name === wanted || name.startsWith(`${wanted}_`));
}

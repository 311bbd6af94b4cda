/** The way to the broker: one session after the other, for ever. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Logger, ThreatBusError } from "@threatbus/core";
import type { Endpoint, RabbitmqOptions } from "./options.ts";
import { describeFailure, Session, type TlsMaterial } from "./session.ts";

const FIRST_DELAY_MS = 250;
/** A session that lasted so long was good: the next failure starts again with the shortest delay. */
const GOOD_AFTER_MS = 10_000;

/** Where a link stands. */
export type LinkState =
  | { readonly kind: "connecting" }
  | { readonly kind: "connected"; readonly endpoint: Endpoint }
  | { readonly kind: "blocked"; readonly endpoint: Endpoint; readonly reason: string }
  | { readonly kind: "lost"; readonly endpoint: Endpoint; readonly reason: string }
  | { readonly kind: "stopped" };

export interface LinkOptions {
  readonly options: RabbitmqOptions;
  readonly tls: TlsMaterial | undefined;
  readonly logger: Logger;
  /** `publish` or `deliver`: each has a connection of its own, because an alarm of the broker stops those that publish. */
  readonly role: string;
  /** Makes the channel ready for work: declarations, modes. */
  readonly prepare: (session: Session, signal: AbortSignal) => Promise<void>;
}

export class Link {
  readonly #link: LinkOptions;
  readonly #firstAttempt = Promise.withResolvers<void>();
  #state: LinkState = { kind: "connecting" };
  #next = 0;
  #failures = 0;

  constructor(link: LinkOptions) {
    this.#link = link;
    // Whoever does not ask for it must not be ended by it.
    this.#firstAttempt.promise.catch(() => undefined);
  }

  get state(): LinkState {
    return this.#state;
  }

  /**
   * Settles with the first attempt: when the broker was reached, or could not be, which is tried again.
   * @throws ThreatBusError when it was reached and will never do what is asked of it
   */
  get firstAttempt(): Promise<void> {
    return this.#firstAttempt.promise;
  }

  /** Gives `use` one session after the other; `use` returns when its own work is over, and throws when the session is. */
  async run(use: (session: Session) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const endpoint = this.#nextEndpoint();
      const began = performance.now();
      try {
        await this.#useOne(endpoint, use, signal);
      } catch (error) {
        if (signal.aborted) break;
        if (performance.now() - began > GOOD_AFTER_MS) this.#failures = 0;
        await this.#pause(endpoint, error, signal);
      }
    }
    this.#state = { kind: "stopped" };
    this.#firstAttempt.resolve();
  }

  async #useOne(endpoint: Endpoint, use: (session: Session) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { options, tls, role, prepare } = this.#link;
    const onBlocked = (reason: string | undefined) => this.#blocked(endpoint, reason);
    const connectionName = `threatbus ${role} ${options.queue.name}`;
    const session = await Session.open({ options, endpoint, tls, connectionName, onBlocked }, signal);
    try {
      await prepare(session, AbortSignal.any([signal, session.signal]));
      this.#connected(endpoint);
      await use(session);
    } catch (error) {
      // What failed first is the cause; what it broke is not worth a line.
      throw session.signal.aborted && !(error instanceof ThreatBusError) ? session.signal.reason : error;
    } finally {
      await session.close();
    }
  }

  #nextEndpoint(): Endpoint {
    const { endpoints } = this.#link.options;
    const endpoint = endpoints[this.#next % endpoints.length];
    if (endpoint === undefined) throw new RangeError("a link has at least one endpoint");
    return endpoint;
  }

  #connected(endpoint: Endpoint): void {
    this.#state = { kind: "connected", endpoint };
    this.#firstAttempt.resolve();
    this.#link.logger.info({ ...endpoint, role: this.#link.role }, "connected to RabbitMQ");
  }

  #blocked(endpoint: Endpoint, reason: string | undefined): void {
    const { logger, role } = this.#link;
    if (reason === undefined) {
      this.#state = { kind: "connected", endpoint };
      logger.info({ ...endpoint, role }, "RabbitMQ takes messages again");
    } else {
      this.#state = { kind: "blocked", endpoint, reason };
      logger.warn({ ...endpoint, role, reason }, "RabbitMQ takes no messages until its alarm is over");
    }
  }

  async #pause(endpoint: Endpoint, error: unknown, signal: AbortSignal): Promise<void> {
    const { logger, role, options } = this.#link;
    if (error instanceof ThreatBusError) this.#firstAttempt.reject(error);
    else this.#firstAttempt.resolve();
    const reason = describeFailure(error);
    const delay = this.#delay(options.reconnect_max);
    this.#state = { kind: "lost", endpoint, reason };
    // The next node of a cluster may be well.
    this.#next += 1;
    const hint = error instanceof ThreatBusError ? { hint: error.hint } : {};
    logger.warn(
      { ...endpoint, role, error: reason, ...hint, retry_in_ms: delay },
      "the connection to RabbitMQ has failed",
    );
    await sleep(delay, undefined, { signal }).catch(() => undefined);
  }

  /** Twice as long after each failure; a random part of it keeps instances from coming back all at once. */
  #delay(most: number): number {
    const full = Math.min(FIRST_DELAY_MS * 2 ** Math.min(this.#failures, 20), most);
    this.#failures += 1;
    return Math.round(full * (0.5 + Math.random() / 2));
  }
}

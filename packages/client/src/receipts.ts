import type { Link, LinkContext } from "./link.ts";
import type { ClientLogger } from "./logger.ts";
import { APP_TOPICS, encodeReceiptRequest } from "./protocol/frames.ts";
import type { Publisher } from "./publisher.ts";
import { receiptLink } from "./silent-link.ts";
import { Change } from "./waiting.ts";

export interface ReceiptsParts {
  readonly publisher: Publisher;
  readonly context: LinkContext;
  readonly name: string | undefined;
  readonly logger: ClientLogger;
}

/** Learns from the bus what it has accepted, over a subscription that is there for nothing else and is always read. */
export class Receipts {
  readonly #parts: ReceiptsParts;
  readonly #changed = new Change();
  #link: Link | undefined;
  #failure: unknown;
  /** Where the bus tells receipts; undefined while there is no subscription. */
  #p2pTopic: string | undefined;
  /** Does the bus give receipts? */
  #given = false;
  /** Rises whenever a receipt that was asked for may have been lost on its way here. */
  #round = 0;
  /** Numbers of the receipts asked for and told last. */
  #asked = 0;
  #told = 0;

  constructor(parts: ReceiptsParts) {
    this.#parts = parts;
    parts.publisher.onEpoch = () => this.#changed.announce();
  }

  /**
   * Calls `send` until the bus has everything that it sent in one epoch of the publisher: the rest of what one connection
   * did not take must not come, over the next one, before what is sent again. An old server gives no receipts: there it is
   * enough that the kernel has everything.
   */
  async ensure(send: (epoch: number) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { publisher, logger } = this.#parts;
    for (;;) {
      await this.#ready(signal);
      const { epoch } = publisher;
      await send(epoch);
      if (await (this.#given ? this.#accepted(epoch, signal) : this.#written(epoch, signal))) return;
      logger.warn({}, "the connection broke before the bus confirmed what was published: publishing it again");
    }
  }

  async close(): Promise<void> {
    await this.#link?.close();
  }

  async #ready(signal: AbortSignal): Promise<void> {
    this.#open();
    while (this.#p2pTopic === undefined) {
      if (this.#failure !== undefined) throw this.#failure;
      await this.#changed.next(signal);
    }
  }

  /** False: the connection broke, and what was written to it may not have left this process. */
  async #written(epoch: number, signal: AbortSignal): Promise<boolean> {
    const { publisher } = this.#parts;
    await publisher.flush(signal);
    return publisher.epoch === epoch;
  }

  /** False: the connection broke, and it is not known what the bus has. */
  async #accepted(epoch: number, signal: AbortSignal): Promise<boolean> {
    const { publisher } = this.#parts;
    this.#asked += 1;
    const number = this.#asked;
    for (let round: number | undefined; ; ) {
      // First: a receipt on another connection says nothing about what went over this one.
      if (publisher.epoch !== epoch) return false;
      if (this.#told >= number) return true;
      if (this.#failure !== undefined) throw this.#failure;
      // The bus was replaced by an old one, which knows nothing of what the one before has accepted.
      if (!this.#given) return false;
      const topic = this.#p2pTopic;
      if (topic !== undefined && round !== this.#round) {
        round = this.#round;
        await publisher.send(APP_TOPICS.receipt, encodeReceiptRequest(topic, number), signal, epoch);
      } else await this.#changed.next(signal);
    }
  }

  #open(): void {
    if (this.#link !== undefined) return;
    this.#failure = undefined;
    const { context, name, logger } = this.#parts;
    const link = receiptLink(context, name, {
      onJoined: (topic, given) => {
        this.#p2pTopic = topic;
        if (!given && !this.#given) logger.warn({}, "the bus is an older one and gives no receipts");
        this.#given = given;
      },
      onLive: () => {
        this.#round += 1;
        this.#changed.announce();
      },
      onReceipt: (number) => {
        // Anybody who reaches the bus can have it tell a number; one that was never asked for confirms nothing.
        if (number > this.#asked) return;
        this.#told = Math.max(this.#told, number);
        this.#changed.announce();
      },
    });
    this.#link = link;
    link.run().catch((error: unknown) => {
      this.#link = undefined;
      this.#failure = error;
      this.#changed.announce();
    });
  }
}

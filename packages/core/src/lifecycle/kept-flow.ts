import type { Logger } from "../contracts/logger.ts";
import type { Message, StixMessage } from "../contracts/message.ts";
import { messageOf } from "../errors.ts";
import { DeliveryTurns } from "../flow/delivery-turns.ts";
import { Handover } from "../flow/handover.ts";
import type { InqEntrance } from "../flow/inq-entrance.ts";
import { type ConfiguredBackbone, staysInside } from "./backbones.ts";
import type { LogKeeper } from "./log-keeper.ts";

export interface KeptFlowOptions {
  readonly keeper: LogKeeper;
  readonly configured: readonly ConfiguredBackbone[];
  readonly entrance: InqEntrance;
  readonly logger: Logger;
  /** Sees what enters the log when it is delivered, in the order of positions. */
  observe(messages: readonly StixMessage[]): void;
}

/**
 * Where messages are kept on their way. Inside one process they enter the log when they are accepted. Where a backbone has
 * a broker, they are in the outbox until it has them, and enter the log when they come back.
 */
export class KeptFlow {
  /** Where a backbone has a broker. */
  readonly handover: Handover | undefined;
  /** Where it is one of several. */
  readonly turns: DeliveryTurns | undefined;
  readonly #options: KeptFlowOptions;

  constructor(options: KeptFlowOptions) {
    this.#options = options;
    const { keeper, configured, entrance, logger } = options;
    const { log, writer } = keeper;
    const settled = (last: number): Promise<boolean> => log.settled(last);
    if (staysInside(configured)) {
      entrance.use({ enter: (messages) => writer.enter(messages), settled });
      return;
    }
    this.handover = new Handover(log.outbox, keeper.dropped);
    if (configured.length > 1) {
      const text = "a backbone does not deliver what it has accepted: the others go on, out of the order of positions";
      const onStall = (backbone: string, messages: number): void => logger.warn({ backbone, messages }, text);
      this.turns = new DeliveryTurns((messages) => this.#enter(messages), onStall);
    }
    entrance.use({ enter: this.handover.enter, settled });
  }

  /** What the last process accepted and did not hand over goes first, whether or not the brokers can be reached. */
  async restore(): Promise<void> {
    if (this.handover === undefined) return;
    await this.#options.keeper.recall();
    this.handover.restore(this.#options.entrance, (error) => {
      const fields = { error: messageOf(error) };
      this.#options.logger.error(fields, "messages that wait in the durable log could not be read; they stay there");
    });
  }

  /** What a backbone has brought from elsewhere, before it is delivered. */
  async enter(backbone: string, messages: readonly Message[]): Promise<void> {
    if (this.turns === undefined) await this.#enter(messages);
    else await this.turns.enter(backbone, messages);
  }

  /**
   * When the backbones have stopped.
   * @returns undefined where nothing waits for the next start; else how many messages do, and how many are lost with the inq
   */
  async left(): Promise<{ readonly waiting: number; readonly lost: number } | undefined> {
    const { handover } = this;
    if (handover === undefined) return undefined;
    const waiting = await this.#options.keeper.log.outbox.size().catch(() => undefined);
    // A log that cannot tell has lost them.
    return waiting === undefined ? { waiting: 0, lost: handover.unfinished } : { waiting, lost: handover.notKept };
  }

  async #enter(messages: readonly Message[]): Promise<readonly StixMessage[]> {
    const { log, writer } = this.#options.keeper;
    const { entered } = await writer.enter(messages);
    this.#options.observe(entered);
    const last = highestPosition(messages);
    // The broker forgets what is delivered; what comes again may have been entered a moment ago.
    if (last > 0) await log.settled(last);
    return entered;
  }
}

/** 0: none has one. */
function highestPosition(messages: readonly Message[]): number {
  let highest = 0;
  for (const message of messages) {
    if ("position" in message && message.position !== undefined) highest = Math.max(highest, message.position);
  }
  return highest;
}

import type { Message } from "@threatbus/client";
import type { PositionGate } from "@threatbus/connector";
import type { Logger } from "@threatbus/core";
import { laneOf } from "./incoming.ts";
import type { Spool } from "./spool/spool.ts";

export interface ReceiveOptions {
  readonly messages: AsyncIterable<Message>;
  readonly spool: Spool;
  readonly gate: Pick<PositionGate, "begin">;
  readonly logger: Logger;
}

/**
 * Puts what comes from the bus into the spool, and does nothing else, so that a slow OpenCTI never holds up receiving. A
 * full spool takes nothing from the bus, which keeps it in its log. Ends with the messages or the signal.
 */
export async function receive({ messages, spool, gate, logger }: ReceiveOptions, signal: AbortSignal): Promise<void> {
  let toldFull = false;
  for await (const { object, bytes } of messages) {
    if (spool.isFull && !toldFull)
      logger.warn({ bytes: spool.bytes }, "the spool is full: nothing is taken from the bus");
    toldFull = spool.isFull;
    // Ended here, the position is not behind this message: it comes again.
    await spool.room(signal);
    const done = gate.begin();
    void spool.append(laneOf(object), bytes).then(done);
  }
}

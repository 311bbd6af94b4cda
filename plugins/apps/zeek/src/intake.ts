import { setImmediate as nextTurn } from "node:timers/promises";
import { type Message, messageOf, type Outq, StoppableWorker, type WorkerContext } from "@threatbus/core";
import type { Backlog } from "./backlog.ts";
import type { Condition } from "./condition.ts";
import { intelItem } from "./intel.ts";

/** Messages mapped between two turns of the event loop: about a millisecond. */
const BATCH = 256;

export interface IntakeParts {
  readonly name: string;
  readonly outq: Outq;
  readonly backlog: Backlog;
  /** Notified when the backlog has changed; this worker notifies too. */
  readonly changed: Condition;
  /** Hears of a message that Zeek has no use for; `sample` says which. */
  readonly unmapped: (reason: string, sample: string) => void;
  /** Where the worker reports that it failed. */
  readonly supervision: WorkerContext;
}

/** Maps the messages of one subscription and keeps them in its backlog; waits while that is full. */
export class Intake extends StoppableWorker {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    super(parts.name, parts.supervision);
    this.#parts = parts;
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const { outq, backlog, changed } = this.#parts;
    for (;;) {
      while (backlog.full) await changed.wait(signal);
      const messages = await outq.getMany(BATCH, signal);
      let useless = 0;
      for (const message of messages) if (!this.#keep(message)) useless += 1;
      // The others are done when Zeek has acknowledged them.
      if (useless > 0) outq.taskDone(useless);
      if (useless < messages.length) changed.notify();
      await nextTurn(undefined, { signal });
    }
  }

  /** @returns false when the message does not go to Zeek. */
  #keep(message: Message): boolean {
    const { backlog, unmapped } = this.#parts;
    if (message.type !== "indicator") {
      unmapped("not-an-indicator", message.type);
      return false;
    }
    try {
      const item = intelItem(message.stix.object);
      if (typeof item !== "string") {
        backlog.push(item);
        return true;
      }
      unmapped(item, message.stix.object.pattern);
    } catch (error) {
      unmapped("internal", messageOf(error));
    }
    return false;
  }
}

import { type Message, type MessageType, type Outq, StoppableWorker, type WorkerContext } from "@threatbus/core";
import type { SendResult, TopicSender } from "@threatbus/zmtp";
import { type Clock, systemClock } from "./clock.ts";
import { Gate } from "./gate.ts";
import { frameHead, positionFrame } from "./messages.ts";
import { receiptFrame } from "./receipts.ts";
import type { TurnBudget } from "./turn-budget.ts";

/** Messages taken from the outq at once: so many are beyond its bound at most. */
const BATCH = 512;
/** Milliseconds without room after which a connection that takes nothing gives way to another one of the same app. */
const STALL_LIMIT = 10_000;

/** What the sender of one subscription needs. */
export interface OutboundParts {
  readonly name: string;
  readonly outq: Outq;
  readonly sender: TopicSender;
  readonly budget: TurnBudget;
  /** The app is told how far it has got, in frames of their own. */
  readonly positions?: boolean;
  /** Hears that nobody is subscribed although the gate was open; it is closed then. */
  readonly onUnreachable: () => void;
  /** Where the worker reports that it failed. */
  readonly supervision: WorkerContext;
  readonly clock?: Clock;
}

/**
 * Writes the outq of one subscription to its app: in order, each message until the connection has taken it. Holds
 * everything back while the app's SUB socket is not in place.
 */
export class Outbound extends StoppableWorker {
  readonly #parts: OutboundParts;
  readonly #gate = new Gate();
  readonly #heads: Partial<Record<MessageType, Buffer>> = {};
  /** Snapshot that this subscription itself has asked for: the request does not go back to it. */
  #ownSnapshot: string | undefined;
  #batch: readonly Message[] = [];
  #next = 0;
  /** The position that the app was told last. */
  #told: number | undefined;
  /** The receipt that the app is to be told; it stands for all before it. */
  #receipt: number | undefined;
  #waitsToTell = false;
  #running: AbortSignal | undefined;
  /** Everything was sent, and it waits for more. */
  #isIdle = false;

  constructor(parts: OutboundParts) {
    super(parts.name, parts.supervision);
    this.#parts = parts;
  }

  /** Messages taken from the outq and not written: lost when the worker has stopped. */
  get unsent(): number {
    return this.#batch.length - this.#next;
  }

  set ownSnapshot(id: string | undefined) {
    this.#ownSnapshot = id;
  }

  /** Lets messages flow. */
  open(): void {
    this.#gate.open();
    // The sender finds the new connection only when the call that told of it is over.
    setImmediate(() => this.progressed());
  }

  /** Holds messages back. */
  hold(): void {
    this.#gate.close();
  }

  /** Something is to be told, and perhaps there is no message to tell it with. */
  progressed(): void {
    if (!this.#isIdle || this.unsent > 0 || !this.#gate.isOpen) return;
    if (this.#tell() === "full") this.#tellLater();
  }

  /** The bus has accepted what the app published before it asked for this receipt. */
  accepted(receipt: number): void {
    this.#receipt = Math.max(receipt, this.#receipt ?? 0);
    this.progressed();
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const { outq } = this.#parts;
    this.#running = signal;
    for (;;) {
      await this.#gate.wait(signal);
      // A run after a failure goes on with what is left of the batch.
      if (!this.#hasWork()) {
        this.#isIdle = true;
        this.#batch = await outq.getMany(BATCH, signal).finally(() => (this.#isIdle = false));
        this.#next = 0;
      }
      while (this.#hasWork()) await this.#sendSome(signal);
    }
  }

  async #sendSome(signal: AbortSignal): Promise<void> {
    const { budget, outq, onUnreachable } = this.#parts;
    while (budget.exhausted) await budget.nextTurn();
    await this.#gate.wait(signal);
    const before = this.#next;
    const written = this.#write();
    const count = this.#next - before;
    if (count > 0) outq.taskDone(count);
    const result = written === "sent" && this.unsent === 0 ? this.#tell() : written;
    if (result === "full") await this.#room(signal);
    if (result !== "unsubscribed") return;
    this.#gate.close();
    onUnreachable();
  }

  /**
   * Waits until the app takes more. An app that lost its network comes back on a new connection long before the system
   * gives the old one up: that one must not hold up the new one.
   */
  async #room(signal: AbortSignal): Promise<void> {
    const { sender, clock = systemClock } = this.#parts;
    const timer = clock.after(STALL_LIMIT, () => {
      sender.dropStalled();
      timer.restart();
    });
    try {
      await sender.writable(signal);
    } finally {
      timer.cancel();
    }
  }

  /** Writes until the batch is through, the budget spent, or a message is not taken. */
  #write(): SendResult {
    const { budget, sender } = this.#parts;
    while (this.#next < this.#batch.length && !budget.exhausted) {
      const message = this.#batch[this.#next];
      if (message !== undefined && !this.#isOwnRequest(message)) {
        const result = sender.send(this.#head(message.type), message.bytes);
        if (result !== "sent") return result;
        budget.spend(1 + (message.bytes.length >> 10));
      }
      this.#next += 1;
    }
    return "sent";
  }

  /** What the app has not been told yet of how far it has got. It has no position while a snapshot is handed out. */
  #newPosition(): number | undefined {
    const { outq, positions } = this.#parts;
    const reached = positions === true ? outq.handedTo : undefined;
    return reached !== undefined && reached > (this.#told ?? -1) ? reached : undefined;
  }

  #hasWork(): boolean {
    return this.unsent > 0 || this.#receipt !== undefined || this.#newPosition() !== undefined;
  }

  /** When there is room again, unless a message comes first. */
  #tellLater(): void {
    if (this.#waitsToTell || this.#running === undefined) return;
    this.#waitsToTell = true;
    this.#parts.sender.writable(this.#running).then(
      () => {
        this.#waitsToTell = false;
        this.progressed();
      },
      // Stopped, or the connection is gone: the next one is told.
      () => {
        this.#waitsToTell = false;
      },
    );
  }

  #tell(): SendResult {
    const result = this.#tellReceipt();
    return result === "sent" ? this.#tellPosition() : result;
  }

  #tellReceipt(): SendResult {
    const { sender, budget } = this.#parts;
    const receipt = this.#receipt;
    if (receipt === undefined) return "sent";
    const result = sender.send(receiptFrame(sender.topic, receipt));
    if (result !== "sent") return result;
    this.#receipt = undefined;
    budget.spend(1);
    return result;
  }

  #tellPosition(): SendResult {
    const { sender, budget } = this.#parts;
    const position = this.#newPosition();
    if (position === undefined) return "sent";
    const result = sender.send(positionFrame(sender.topic, position));
    if (result !== "sent") return result;
    this.#told = position;
    budget.spend(1);
    return result;
  }

  #head(type: MessageType): Buffer {
    const known = this.#heads[type];
    if (known !== undefined) return known;
    const head = frameHead(this.#parts.sender.topic, type);
    this.#heads[type] = head;
    return head;
  }

  #isOwnRequest(message: Message): boolean {
    return message.type === "snapshotrequest" && message.request.snapshotId === this.#ownSnapshot;
  }
}

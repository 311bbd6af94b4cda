import type { Address, Batch, SocketEvent } from "@threatbus/zmtp";
import { Sub } from "@threatbus/zmtp";

export interface FeedOptions {
  readonly maxMessageBytes: number;
  /** Messages are handed over only after this: those of the feed before. */
  readonly after: Promise<void>;
  /** Called before the first message is handed over. */
  readonly onBegin: () => void;
  readonly onFrames: (frames: readonly Buffer[], p2pTopic: string) => Promise<unknown> | undefined;
  readonly onEvent: (event: SocketEvent) => void;
}

/** Room for the topic and the envelope around an object of the largest size. */
const FRAME_OVERHEAD = 4_096;

/** A retired feed that has waited this long for a message, in milliseconds, has none left. Once disconnected it has read everything already. */
const IDLE = { connected: 200, disconnected: 1 } as const;

/** The connection that brings the messages of one point-to-point topic. It is read only as fast as they are taken. */
export class Feed {
  /** Resolves when nothing more will be handed over. */
  readonly done: Promise<void>;
  readonly #sub: Sub;
  readonly #p2pTopic: string;
  readonly #retire = new AbortController();
  #started = false;
  #connected = false;
  #cut = false;
  #abandoned = false;

  constructor(address: Address, p2pTopic: string, options: FeedOptions) {
    this.#sub = new Sub({
      maxMessageSize: options.maxMessageBytes + FRAME_OVERHEAD,
      onEvent: (event) => this.#onEvent(event, options.onEvent),
    });
    this.#p2pTopic = p2pTopic;
    this.#sub.subscribe(p2pTopic);
    this.#sub.connect(address);
    this.done = this.#pump(options);
  }

  /** The connection has broken, and what was under way is lost: nothing that another one would bring is taken. */
  cut(): void {
    if (this.#cut) return;
    this.#cut = true;
    this.#connected = false;
    this.#sub.unsubscribe(this.#p2pTopic);
  }

  /** Ends without handing over what a standing connection has brought: the successor brings it again. */
  abandon(): void {
    this.#abandoned = !this.#cut;
    this.retire();
  }

  /** Hands over what the connection had brought already, and then ends: the bus will send nothing more to this topic. */
  retire(): void {
    this.#retire.abort();
    // Still waiting for its own predecessor: feeds must not pile up behind a loop that stands still.
    if (!this.#started) void this.close();
  }

  /** Ends the connection now. Resolves when a message that is being handed over has been taken. */
  async close(): Promise<void> {
    await this.#sub.close();
    await this.done;
  }

  async #pump({ after, onBegin, onFrames }: FeedOptions): Promise<void> {
    await after;
    this.#started = true;
    if (!this.#retire.signal.aborted) onBegin();
    for (let batch = await this.#next(); batch !== undefined; batch = await this.#next()) {
      for (const frames of batch.messages) {
        if (this.#abandoned) break;
        const taken = onFrames(frames, this.#p2pTopic);
        if (taken !== undefined) await taken;
      }
    }
    await this.#sub.close();
  }

  async #next(): Promise<Batch | undefined> {
    const retired = this.#retire.signal;
    if (this.#abandoned) return undefined;
    if (!retired.aborted) {
      const batch = await this.#sub.receive(retired).catch(() => undefined);
      if (batch !== undefined || !retired.aborted) return batch;
    }
    const idle = AbortSignal.timeout(this.#connected ? IDLE.connected : IDLE.disconnected);
    return this.#sub.receive(idle).catch(() => undefined);
  }

  #onEvent(event: SocketEvent, tell: FeedOptions["onEvent"]): void {
    if (this.#cut) return;
    if (event.type === "connected") this.#connected = true;
    if (event.type === "disconnected") this.#connected = false;
    if (!this.#retire.signal.aborted) tell(event);
  }
}

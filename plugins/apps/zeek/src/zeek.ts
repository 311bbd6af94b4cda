import type { SendResult, ZeekEvent } from "@threatbus/zeek-broker";

/** The connection to one Zeek, whichever way it is connected. */
export interface Link {
  /** The same for a Zeek that comes back without having been restarted. */
  readonly id: string;
  /** Names this Zeek in logs and sightings. */
  readonly name: string;
  /** History that its subscriptions get, whatever the script asks for, in seconds. */
  readonly leastSnapshot: number;
  /** Zeek listens to this topic, as far as the bus can know. */
  wants(topic: string): boolean;
  /** Publishes to this Zeek alone. @throws BrokerError for what cannot be encoded. */
  publish(topic: string, event: ZeekEvent): SendResult;
  /** Resolves when there is room again after "full", or the connection is gone; rejects with the signal's reason. */
  writable(signal: AbortSignal): Promise<void>;
  /** Resolves when Zeek has read everything that was published until now; rejects when the connection is gone. */
  settled(): Promise<void>;
  /** Reads nothing more from Zeek, until `resume`. */
  pause(): void;
  resume(): void;
  /** Closes the connection, so that Zeek comes back and subscribes again. */
  drop(reason: string): void;
}

/** Bytes of indicators on their way to one Zeek, whatever their number. */
const MAX_BYTES_IN_FLIGHT = 4 * 1024 * 1024;

/** A connected Zeek and what is on its way to it; all its subscriptions share one window. */
export class Zeek {
  readonly link: Link;
  readonly #maxInFlight: number;
  readonly #onRoom: () => void;
  #events = 0;
  #bytes = 0;

  /** @param onRoom hears that there is more room than before. */
  constructor(link: Link, maxInFlight: number, onRoom: () => void) {
    this.link = link;
    this.#maxInFlight = maxInFlight;
    this.#onRoom = onRoom;
  }

  /** Events sent and not acknowledged. */
  get inFlight(): number {
    return this.#events;
  }

  /** Events that may be sent now. */
  get room(): number {
    return this.#bytes >= MAX_BYTES_IN_FLIGHT ? 0 : Math.max(0, this.#maxInFlight - this.#events);
  }

  /** Counts one event as sent. */
  sent(bytes: number): void {
    this.#events += 1;
    this.#bytes += bytes;
  }

  /** Resolves when Zeek has read the last `events` events; rejects when the connection is gone before. */
  async acknowledged(events: number, bytes: number): Promise<void> {
    await this.link.settled();
    this.#events -= events;
    this.#bytes -= bytes;
    this.#onRoom();
  }
}

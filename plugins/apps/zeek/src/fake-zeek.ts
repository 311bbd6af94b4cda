/**
 * A stand-in for a Zeek that runs the script of Threat Bus: peers, subscribes, keeps an intel framework's worth of items
 * and reports matches. For tests, and for the demo where no Zeek is installed.
 */
import {
  type Address,
  Endpoint,
  type EndpointOptions,
  type Peer,
  type TlsOption,
  Value,
  type ZeekEvent,
} from "@threatbus/zeek-broker";

const MANAGE_TOPIC = "threatbus/manage";
const SIGHTING_TOPIC = "stix2/sighting";
const NANOSECONDS_PER_SECOND = 1_000_000_000;

/** One item as it came, in the order of the script's record. */
export interface FakeIntel {
  readonly id: string;
  readonly type: string;
  readonly value: string;
  readonly operation: string;
}

export interface FakeZeekOptions {
  /** Endpoint id; default a random one. */
  readonly id?: string;
  /** Default: without certificates, as Zeek does. */
  readonly tls?: TlsOption;
  /** What it subscribes to when it has peered; default stix2/indicator, empty for nothing. */
  readonly topic?: string;
  /** History it asks for, in seconds; default 0. */
  readonly snapshot?: number;
  readonly namespace?: string;
  /** Subscribes anew at every connection, as the script does; default true. */
  readonly renews?: boolean;
  /** Keeps what comes in `received` and `intel`; default true. */
  readonly keep?: boolean;
  /** Listens to its p2p topic only when told to by `listen`. */
  readonly deaf?: boolean;
  /** Hears of each item. */
  readonly onIntel?: (item: FakeIntel) => void;
}

/** Zeek with the script of Threat Bus, without Zeek. */
export class FakeZeek {
  readonly endpoint: Endpoint;
  /** The items that came, in order; REMOVE ones too. */
  readonly received: FakeIntel[] = [];
  /** Point-to-point topics that were acknowledged to this Zeek. */
  readonly p2pTopics: string[] = [];
  /** Events that are not for the script. */
  readonly foreign: ZeekEvent[] = [];
  /** What the intel framework holds: ids by type and value. */
  readonly intel = new Map<string, string>();
  readonly #options: FakeZeekOptions;

  constructor(options: FakeZeekOptions = {}) {
    this.#options = options;
    const endpoint: EndpointOptions = {
      subscriptions: [MANAGE_TOPIC],
      tls: options.tls ?? "anonymous",
      farewellTimeout: 500,
      onEvent: (_peer, _topic, event) => this.#onEvent(event),
      onNotice: (notice) => {
        if (notice.type === "peer-added") this.#onPeer(notice.peer);
      },
      ...(options.id === undefined ? {} : { id: options.id }),
    };
    this.endpoint = new Endpoint(endpoint);
  }

  /** The bus, while it is peered with. */
  get bus(): Peer | undefined {
    return this.endpoint.peers[0];
  }

  /** Keeps a connection to the bus, for ever. */
  connect(address: Address): void {
    this.endpoint.dial(address);
  }

  subscribe(topic: string, snapshotSeconds = 0): void {
    const snapshot = Value.timespan(BigInt(Math.round(snapshotSeconds * NANOSECONDS_PER_SECOND)));
    this.emit(MANAGE_TOPIC, "subscribe", Value.string(topic), snapshot);
  }

  unsubscribe(p2pTopic: string): void {
    this.endpoint.unsubscribe(p2pTopic);
    this.emit(MANAGE_TOPIC, "unsubscribe", Value.string(p2pTopic));
  }

  /** Listens to a p2p topic. */
  listen(p2pTopic: string): void {
    this.endpoint.subscribe(p2pTopic);
  }

  /** Reports a match. @returns false when it did not go out: there is no connection, or it is full. */
  sight(indicatorId: string, context: Value = Value.table([Value.string("noisy"), Value.boolean(false)])): boolean {
    const now = Value.timestamp(BigInt(Date.now()) * 1_000_000n);
    return this.emit(SIGHTING_TOPIC, "sighting", now, Value.string(indicatorId), context);
  }

  /** Reports a match when the intel framework holds this value. @returns the id of the indicator. */
  seen(type: string, value: string): string | undefined {
    const id = this.intel.get(`${type} ${value}`);
    if (id !== undefined) this.sight(id);
    return id;
  }

  /** Publishes an event of the script's module. @returns false when it did not go out. */
  emit(topic: string, name: string, ...args: Value[]): boolean {
    return this.endpoint.publish(topic, { name: `${this.#namespace}::${name}`, args, metadata: [] }).sent > 0;
  }

  close(): Promise<void> {
    return this.endpoint.close();
  }

  get #namespace(): string {
    return this.#options.namespace ?? "Tenzir";
  }

  #onPeer(_bus: Peer): void {
    if (this.#options.renews === false && this.p2pTopics.length > 0) return;
    // As the script does: what it had of an earlier connection is not wanted any more.
    for (const topic of this.p2pTopics.splice(0)) this.unsubscribe(topic);
    const { topic = "stix2/indicator", snapshot = 0 } = this.#options;
    if (topic !== "") this.subscribe(topic, snapshot);
  }

  #onEvent(event: ZeekEvent): void {
    const [first] = event.args;
    if (event.name === `${this.#namespace}::subscription_acknowledged` && first?.type === "string") {
      const topic = String(first.value);
      this.p2pTopics.push(topic);
      if (this.#options.deaf !== true) this.listen(topic);
    } else if (event.name === `${this.#namespace}::intel` && first?.type === "vector") {
      this.#onIntel(first.value);
    } else {
      this.foreign.push(event);
    }
  }

  #onIntel(record: readonly Value[]): void {
    const [id = "", type = "", value = "", operation = ""] = record.slice(1).map(textOf);
    const item = { id, type, value, operation };
    this.#options.onIntel?.(item);
    if (this.#options.keep === false) return;
    this.received.push(item);
    if (operation === "REMOVE") this.intel.delete(`${type} ${value}`);
    else this.intel.set(`${type} ${value}`, id);
  }
}

function textOf(value: Value): string {
  return value.type === "string" ? String(value.value) : "";
}

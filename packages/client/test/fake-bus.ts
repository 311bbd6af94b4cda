/** A small bus for tests: speaks the ZeroMQ protocol of Threat Bus, routes in memory, and can misbehave on request. */
import { randomInt, randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import type { Peer, TopicSender } from "@threatbus/zmtp";
import { Rep, Sub, Xpub } from "@threatbus/zmtp";
import type { ManagementReply, ManagementRequest, SubscribeRequest } from "../src/protocol/index.ts";
import { decodeRequest, encodePositionFrame, encodeReceiptFrame, encodeReply } from "../src/protocol/index.ts";

const HOST = "127.0.0.1";
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

export interface FakeSubscription {
  readonly p2pTopic: string;
  readonly request: SubscribeRequest;
  readonly outq: Buffer[];
  sender: TopicSender;
  draining: boolean;
}

/** A durable log in memory. It outlives a bus: give it to the next one. */
export class FakeLog {
  readonly id: string;
  readonly #records: { readonly type: string; readonly json: string }[] = [];
  /** Everything up to here was removed. */
  oldest = 0;

  constructor(id: string) {
    this.id = id;
  }

  get last(): number {
    return this.#records.length;
  }

  append(type: string, json: string): void {
    this.#records.push({ type, json });
  }

  after(position: number) {
    return this.#records.slice(position);
  }

  /** Where a subscription that asks for this begins. Times are before everything. */
  startOf({ from = "latest", log }: SubscribeRequest): number {
    if (from === "latest") return this.last;
    const position = typeof from === "number" && (log === undefined || log === this.id) ? from : 0;
    return Math.max(this.oldest, Math.min(position, this.last));
  }
}

/** What to do instead of answering: a reply of another kind, or none at all (the request is held until the bus stops). */
export type Misbehaviour = ManagementReply | Buffer | "no reply";

export class FakeBus {
  readonly requests: ManagementRequest[] = [];
  readonly subscriptions = new Map<string, FakeSubscription>();
  /** Frames that came in on the app port, as text, in order. */
  readonly received: string[] = [];
  /** Frames on the app port that break the protocol. */
  readonly malformed: string[] = [];
  /** Prefixes that apps have subscribed to and not taken back. */
  readonly prefixes = new Set<string>();
  peers = 0;
  misbehave: (request: ManagementRequest) => Misbehaviour | undefined = () => undefined;
  /** What a reply waits for, on its way over a slow line. */
  hold: (request: ManagementRequest) => Promise<unknown> | undefined = () => undefined;
  /** While false, nothing is read on the app port. */
  reading = true;
  managePort = 0;
  /** Without one, positions are neither taken nor told, as in an old server. */
  log: FakeLog | undefined;
  /** While false, positions are not told. */
  telling = true;
  /** Does it give receipts, as a new server? */
  receipts = false;
  /** While false, requests for receipts are heard and not answered. */
  givingReceipts = true;
  readonly receiptRequests: { readonly topic: string; readonly number: number }[] = [];
  /** Without a log: refuse to begin in it, as a server that could have one. */
  refusesStarts = true;
  #rep: Rep;
  #xpub: Xpub;
  readonly #newXpub: () => Xpub;
  #sub: Sub;
  readonly #newSub: () => Sub;
  #ports = { pub: 0, sub: 0 };
  #running = Promise.resolve();
  readonly #stopped = Promise.withResolvers<Buffer>();
  readonly #snapshots = new Map<string, FakeSubscription>();
  readonly #watchers = new Set<() => void>();

  constructor(highWaterMark?: number) {
    const count = (change: number) => (event: { readonly type: string }) => {
      if (event.type === "accepted") this.peers += change;
      if (event.type === "disconnected") this.peers -= change;
      this.touch();
    };
    this.#rep = new Rep({ linger: 100, onEvent: count(1) });
    this.#newXpub = () =>
      new Xpub({
        linger: 100,
        ...(highWaterMark === undefined ? {} : { highWaterMark }),
        onEvent: count(1),
        onSubscribe: (prefix) => this.#onPrefix(prefix.toString(), true),
        onUnsubscribe: (prefix) => this.#onPrefix(prefix.toString(), false),
      });
    this.#xpub = this.#newXpub();
    this.#newSub = () => new Sub({ linger: 100, onEvent: count(1) });
    this.#sub = this.#newSub();
  }

  /** Starts a bus that ends with the test. @param options `after`: on all ports of one that has ended, as a restart does */
  static async start(
    t: TestContext,
    options: { managePort?: number; highWaterMark?: number; log?: FakeLog; after?: FakeBus } = {},
  ): Promise<FakeBus> {
    const bus = new FakeBus(options.highWaterMark);
    bus.log = options.log;
    if (options.after !== undefined) bus.#ports = { ...options.after.#ports };
    await bus.listen(options.after?.managePort ?? options.managePort ?? 0);
    t.after(() => bus.stop());
    return bus;
  }

  get endpoint(): string {
    return `${HOST}:${this.managePort}`;
  }

  async listen(managePort: number): Promise<void> {
    this.#ports.pub = (await this.#xpub.bind({ host: HOST, port: this.#ports.pub })).port;
    this.#ports.sub = (await this.#sub.bind({ host: HOST, port: this.#ports.sub })).port;
    this.#subscribeToApps();
    this.#rep.serve((frames, peer) => this.#serve(Buffer.concat(frames), peer));
    this.managePort = (await this.#rep.bind({ host: HOST, port: managePort })).port;
    this.#running = this.#receive();
  }

  async stop(): Promise<void> {
    this.#stopped.resolve(encodeReply({ status: "error" }));
    this.reading = true;
    this.touch();
    await Promise.all([this.#rep.close(), this.#xpub.close(), this.#sub.close()]);
    await this.#running;
  }

  /** Resolves when the condition holds; it is looked at after every event on the bus. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.add(resolve));
  }

  touch(): void {
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }

  count(action: ManagementRequest["action"]): number {
    return this.requests.filter((request) => request.action === action).length;
  }

  /** The one subscription that covers the topic. */
  only(topic: string): FakeSubscription {
    const found = [...this.subscriptions.values()].filter((one) => covers(one.request, topic));
    const [first] = found;
    if (first === undefined || found.length > 1) throw new Error(`${found.length} subscriptions cover ${topic}`);
    return first;
  }

  /** Ends a subscription as a restart would: the app is not told. */
  forget(p2pTopic: string): void {
    this.subscriptions.get(p2pTopic)?.sender.close();
    this.subscriptions.delete(p2pTopic);
  }

  /** As if another app had published the object. */
  inject(object: { readonly type: string }): void {
    const json = JSON.stringify(object);
    this.log?.append(object.type, json);
    for (const one of this.subscriptions.values()) {
      if (covers(one.request, `stix2/${object.type}`)) this.deliver(one, object.type, json);
      this.tell(one);
    }
  }

  /** Tells a subscription the position that it has behind what is on its way. */
  tell(to: FakeSubscription): void {
    if (this.log === undefined || !this.telling || to.request.positions !== true) return;
    this.deliverRaw(to, encodePositionFrame(to.p2pTopic, this.log.last));
  }

  /** Breaks the connections that messages go out on; subscriptions are kept, and the port is the same. */
  async breakConnections(): Promise<void> {
    const broken = this.#xpub;
    this.#xpub = this.#newXpub();
    for (const one of this.subscriptions.values()) one.sender = this.#xpub.sender(one.p2pTopic);
    await broken.close();
    this.prefixes.clear();
    await this.#xpub.bind({ host: HOST, port: this.#ports.pub });
  }

  /** Breaks the connections that apps publish on; the port is the same. */
  async breakAppConnections(): Promise<void> {
    const broken = this.#sub;
    this.#sub = this.#newSub();
    await broken.close();
    await this.#running;
    await this.#sub.bind({ host: HOST, port: this.#ports.sub });
    this.#subscribeToApps();
    this.#running = this.#receive();
  }

  /** Answers the newest request for a receipt. */
  giveReceipt(): void {
    const asked = this.receiptRequests.at(-1);
    const to = this.subscriptions.get(asked?.topic ?? "");
    if (asked === undefined || to === undefined) throw new Error("nobody waits for a receipt");
    this.deliverRaw(to, encodeReceiptFrame(to.p2pTopic, asked.number));
  }

  deliver(to: FakeSubscription, type: string, payload: string): void {
    this.deliverRaw(to, Buffer.from(`${to.p2pTopic}${type} ${payload}`));
  }

  deliverRaw(to: FakeSubscription, frame: Buffer): void {
    to.outq.push(frame);
    void this.#drain(to);
  }

  /** As if another app had asked for a snapshot; returns its id. Answers are found in `received`. */
  askSnapshot(type: "indicator" | "sighting", seconds: number, asker?: FakeSubscription): string {
    const id = randomUUID();
    if (asker !== undefined) this.#snapshots.set(id, asker);
    const body = {
      type: "snapshotrequest",
      snapshot_type: type === "indicator" ? 1 : 2,
      snapshot_id: id,
      snapshot: seconds,
    };
    for (const one of this.subscriptions.values()) {
      if (one !== asker) this.deliver(one, "snapshotrequest", JSON.stringify(body));
    }
    return id;
  }

  #serve(bytes: Buffer, _peer: Peer): Promise<Buffer> | Buffer {
    let request: ManagementRequest;
    try {
      request = decodeRequest(bytes);
    } catch {
      this.malformed.push(bytes.toString());
      return encodeReply({ status: "error" });
    }
    this.requests.push(request);
    const odd = this.misbehave(request);
    this.touch();
    if (odd === "no reply") return this.#stopped.promise;
    if (odd !== undefined) return Buffer.isBuffer(odd) ? odd : encodeReply(odd);
    const reply = encodeReply(this.#handle(request));
    this.touch();
    return this.hold(request)?.then(() => reply) ?? reply;
  }

  #handle(request: ManagementRequest): ManagementReply {
    if (request.action === "heartbeat") {
      return outcome(this.subscriptions.has(request.topic));
    }
    if (request.action === "unsubscribe") {
      const known = this.subscriptions.has(request.topic);
      this.forget(request.topic);
      return outcome(known);
    }
    const { log } = this;
    if (log === undefined && request.from !== undefined && this.refusesStarts) {
      return { status: "error", message: "the durable log is off", code: "TB_NO_LOG" };
    }
    const p2pTopic = Array.from({ length: 32 }, () => LETTERS[randomInt(26)]).join("");
    const sender = this.#xpub.sender(p2pTopic);
    const subscription = { p2pTopic, request, outq: [], sender, draining: false };
    this.subscriptions.set(p2pTopic, subscription);
    for (const type of ["indicator", "sighting"] as const) {
      const seconds = (request.snapshot ?? 0) * 86_400;
      if (seconds > 0 && covers(request, `stix2/${type}`)) this.askSnapshot(type, seconds, subscription);
    }
    const given = this.receipts && request.receipts === true ? { receipts: true as const } : {};
    const { pub, sub } = this.#ports;
    const reply = { topic: p2pTopic, pub_port: pub, sub_port: sub, status: "success", ...given } as const;
    if (log === undefined || request.positions !== true) return reply;
    const position = log.startOf(request);
    for (const { type, json } of log.after(position)) {
      if (covers(request, `stix2/${type}`)) this.deliver(subscription, type, json);
    }
    this.tell(subscription);
    return { ...reply, position, log: log.id };
  }

  /** Holds the queue until the app's SUB is in place, and while it is full. */
  async #drain(to: FakeSubscription): Promise<void> {
    if (to.draining) return;
    to.draining = true;
    for (let frame = to.outq[0]; frame !== undefined; frame = to.outq[0]) {
      const result = to.sender.send(frame);
      if (result === "unsubscribed") break;
      if (result === "full") await to.sender.writable();
      else to.outq.shift();
    }
    to.draining = false;
    this.touch();
  }

  #onPrefix(prefix: string, there: boolean): void {
    if (there) this.prefixes.add(prefix);
    else this.prefixes.delete(prefix);
    const subscription = this.subscriptions.get(prefix);
    // The sender finds the new connection only after this callback.
    if (there && subscription !== undefined) setImmediate(() => void this.#drain(subscription));
    this.touch();
  }

  #subscribeToApps(): void {
    this.#sub.subscribe("stix2/");
    this.#sub.subscribe("threatbus/");
  }

  #onReceiptRequest(payload: string): void {
    const asked = JSON.parse(payload);
    this.receiptRequests.push(asked);
    if (this.givingReceipts && this.subscriptions.has(asked.topic)) this.giveReceipt();
  }

  async #receive(): Promise<void> {
    const sub = this.#sub;
    for (let batch = await sub.receive(); batch !== undefined; batch = await sub.receive()) {
      for (const frames of batch.messages) this.#onFrame(frames);
      this.touch();
      await this.until(() => this.reading);
    }
  }

  #onFrame(frames: readonly Buffer[]): void {
    const text = Buffer.concat(frames).toString();
    const space = text.indexOf(" ");
    const topic = text.slice(0, space);
    if (topic === "threatbus/receipt" && this.receipts) {
      this.#onReceiptRequest(text.slice(space + 1));
      return;
    }
    this.received.push(text);
    if (frames.length !== 1 || space < 0) {
      this.malformed.push(text);
    } else if (topic.startsWith("stix2/")) {
      this.inject(JSON.parse(text.slice(space + 1)));
    } else if (topic === "threatbus/snapshotenvelope") {
      const { snapshot_id: id, body } = JSON.parse(text.slice(space + 1));
      const asker = this.#snapshots.get(id);
      if (asker !== undefined) this.deliver(asker, body.type, JSON.stringify(body));
    } else {
      this.malformed.push(text);
    }
  }
}

function covers(request: SubscribeRequest, topic: string): boolean {
  const topics = typeof request.topic === "string" ? [request.topic] : request.topic;
  return topics.some((prefix) => topic.startsWith(prefix));
}

function outcome(done: boolean): ManagementReply {
  return done ? { status: "success" } : { status: "error" };
}

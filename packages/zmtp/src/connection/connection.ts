import type { Socket } from "node:net";
import type { Breach, DisconnectReason, Peer } from "../events.ts";
import type { Handshake, HandshakeStep } from "../mechanism/mechanism.ts";
import type { Settings } from "../options.ts";
import { type Command, decodeCommand, decodePing, encodeCommand, encodeError, encodePing } from "../wire/command.ts";
import { FLAG_COMMAND } from "../wire/frame.ts";
import { encodeGreeting, type Greeting, GreetingReader } from "../wire/greeting.ts";
import { encodeMetadata, type Metadata } from "../wire/metadata.ts";
import { Outbox } from "../wire/outbox.ts";
import { type FrameLimits, FrameParser } from "../wire/parser.ts";
import { protocol, refusal, Violation } from "../wire/violation.ts";
import { Heartbeat } from "./heartbeat.ts";
import { areCompatible, type SocketType } from "./socket-type.ts";

/** What a connection tells the socket it belongs to. After `ended` there are no more calls. */
export interface ConnectionOwner {
  ready(connection: Connection): void;
  message(connection: Connection, frames: Buffer[]): void;
  /** SUBSCRIBE, CANCEL and the like; PING, PONG and ERROR are handled here. */
  command(connection: Connection, command: Command): void;
  /** All messages and commands of one read were reported. */
  readEnd(connection: Connection): void;
  /** A connection whose outbox was full has room again. */
  drained(connection: Connection): void;
  /** A connection that was ready is over. */
  ended(connection: Connection, reason: DisconnectReason): void;
}

export interface ConnectionContext {
  readonly id: number;
  readonly remote: string;
  readonly server: boolean;
  readonly socketType: SocketType;
  readonly settings: Settings;
  readonly limits: FrameLimits;
  readonly owner: ConnectionOwner;
  /** Called once, when the TCP connection is closed; `wasReady` says whether the handshake was completed. */
  readonly onGone: (connection: Connection, reason: string, wasReady: boolean) => void;
}

type State = "greeting" | "handshake" | "ready" | "closing" | "gone";

const PING = encodePing({ ttl: 0, context: Buffer.alloc(0) });

/** One TCP connection: greeting, handshake, traffic, end. */
export class Connection {
  readonly outbox: Outbox;
  #peer: Peer;
  #state: State = "greeting";
  #handshake: Handshake | undefined;
  #greeting: Greeting | undefined;
  #wasReady = false;
  #isPaused = false;
  #reason: DisconnectReason | undefined;
  #errorCode: string | undefined;
  #deadline: NodeJS.Timeout | undefined;
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  readonly #parser: FrameParser;
  readonly #greetingReader = new GreetingReader();
  readonly #heartbeat: Heartbeat;

  constructor(socket: Socket, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.#peer = { id: context.id, remote: context.remote };
    this.#parser = new FrameParser(
      { command: (body) => this.#onCommand(body), message: (frames) => this.#onMessage(frames) },
      context.limits,
    );
    this.#heartbeat = new Heartbeat({
      sendPing: () => this.#sendCommand(PING),
      isPaused: () => this.#isPaused,
      onSilence: () => this.drop("heartbeat-timeout"),
    });
    this.outbox = new Outbox(socket, context.settings.highWaterMark);
    this.outbox.onDrain = () => context.owner.drained(this);
    this.#deadline = setTimeout(
      () => this.#breach({ type: "closed-by-limit", reason: "handshake-timeout" }),
      context.settings.handshakeTimeout,
    );
    socket.on("data", (chunk) => this.#onData(chunk));
    socket.on("end", () => this.drop("peer-closed"));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#errorCode = error.code;
    });
    socket.on("close", () => this.#onClose());
    const { mechanism } = context.settings;
    this.outbox.raw(encodeGreeting(mechanism.name, mechanism.asServer));
  }

  get peer(): Peer {
    return this.#peer;
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** The peer's ZMTP minor version: from 1 on, subscriptions are commands. */
  get minor(): number {
    return this.#greeting?.minor ?? 0;
  }

  /** Stops reading, so that TCP holds the peer back. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** Ends the connection at once. */
  drop(reason: DisconnectReason): void {
    this.#reason ??= reason;
    this.#socket.destroy();
    this.#leaveReady("connection-lost");
  }

  /** Reports what the peer did wrong, tells the peer if it can understand it, and ends the connection. */
  #breach(breach: Breach): void {
    if (this.#state === "closing" || this.#state === "gone") return;
    this.#context.settings.onEvent({ ...breach, peer: this.#peer });
    if (breach.reason !== "incompatible-socket") {
      this.drop(breach.reason);
      return;
    }
    this.#reason = breach.reason;
    this.#sendCommand(encodeError("Invalid socket type"));
    this.#linger();
  }

  /** Writes what is waiting, for at most `linger` milliseconds, and ends the connection. `onGone` tells when. */
  close(): void {
    if (this.#state === "closing" || this.#state === "gone") return;
    if (this.#state !== "ready") {
      this.drop("closed");
      return;
    }
    this.#reason = "closed";
    this.#linger();
  }

  #linger(): void {
    this.#state = "closing";
    this.#isPaused = false;
    // What still comes is read and thrown away: closing with unread bytes would make TCP reset, and lose what we sent last.
    this.#socket.resume();
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#socket.destroy(), this.#context.settings.linger);
    this.outbox.flush();
    void this.outbox.flushed().then(() => this.#socket.end());
  }

  #onData(chunk: Buffer): void {
    if (this.#state === "closing" || this.#state === "gone") return;
    this.#heartbeat.heard();
    try {
      this.#read(chunk);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#breach(error.breach);
    }
    if (this.isReady) this.#context.owner.readEnd(this);
  }

  #read(chunk: Buffer): void {
    if (this.#state !== "greeting") {
      this.#parser.push(chunk);
      return;
    }
    const taken = this.#greetingReader.push(chunk);
    if (this.#greetingReader.greeting === undefined) return;
    this.#onGreeting(this.#greetingReader.greeting);
    if (taken < chunk.length) this.#parser.push(chunk.subarray(taken));
  }

  #onGreeting(greeting: Greeting): void {
    const { settings, socketType, server, remote } = this.#context;
    if (greeting.mechanism !== settings.mechanism.name) throw refusal("mechanism");
    this.#greeting = greeting;
    this.#state = "handshake";
    const own: Record<string, string> = { "Socket-Type": socketType };
    if (socketType === "REQ") own.Identity = "";
    this.#handshake = settings.mechanism.begin({ server, remote, metadata: encodeMetadata(own) });
    this.#step(this.#handshake.start());
  }

  #step(step: HandshakeStep): void {
    for (const command of step.send) this.#sendCommand(command);
    if (step.metadata !== undefined) this.#onReady(step.metadata);
  }

  #onReady(metadata: Metadata): void {
    const type = metadata.get("socket-type");
    if (type === undefined) throw protocol("bad-metadata");
    this.#peer = { ...this.#peer, metadata };
    if (!areCompatible(this.#context.socketType, type.toString("latin1"))) throw refusal("incompatible-socket");
    clearTimeout(this.#deadline);
    this.#handshake = undefined;
    this.#state = "ready";
    this.#wasReady = true;
    const { settings, server, owner } = this.#context;
    this.#heartbeat.start(settings.heartbeat);
    settings.onEvent({ type: server ? "accepted" : "connected", peer: this.#peer, reason: "ready" });
    owner.ready(this);
  }

  #onMessage(frames: Buffer[]): void {
    if (this.#state === "ready") this.#context.owner.message(this, frames);
    else if (this.#state === "handshake") throw protocol("unexpected-message");
  }

  #onCommand(body: Buffer): void {
    if (this.#state === "closing" || this.#state === "gone") return;
    const command = decodeCommand(body);
    if (this.#handshake !== undefined) {
      this.#step(this.#handshake.receive(command));
      return;
    }
    if (command.name === "PING") this.#onPing(command.data);
    else if (command.name === "ERROR") throw refusal("refused-by-peer");
    else if (command.name !== "PONG") this.#context.owner.command(this, command);
  }

  #onPing(data: Buffer): void {
    const { ttl, context } = decodePing(data);
    if (ttl > 0) this.#heartbeat.peerPromised(ttl * 100);
    // A peer that sends PINGs and never reads must not make us gather answers.
    if (!this.outbox.isFull()) this.#sendCommand(encodeCommand("PONG", context));
  }

  #sendCommand(body: Buffer): void {
    if (!this.#socket.destroyed) this.outbox.frame(FLAG_COMMAND, body);
  }

  /** Takes leave of the owner: there is no more traffic, and what was not written is lost. */
  #leaveReady(lostBy: "connection-lost" | "linger"): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    clearTimeout(this.#deadline);
    this.#heartbeat.stop();
    const { settings, owner } = this.#context;
    const lost = this.outbox.close();
    if (!this.#wasReady) return;
    if (lost > 0) settings.onEvent({ type: "dropped", peer: this.#peer, reason: lostBy, count: lost });
    const reason = this.#reason ?? "connection-lost";
    settings.onEvent({ type: "disconnected", peer: this.#peer, reason });
    owner.ended(this, reason);
  }

  #onClose(): void {
    this.#leaveReady(this.#reason === "closed" ? "linger" : "connection-lost");
    const reason = this.#errorCode ?? this.#reason ?? "connection-lost";
    this.#context.onGone(this, reason, this.#wasReady);
  }
}

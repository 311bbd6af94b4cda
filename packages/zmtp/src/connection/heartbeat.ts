import type { HeartbeatOptions } from "../options.ts";

/** What a heartbeat needs of its connection. */
export interface HeartbeatTarget {
  sendPing(): void;
  /** Is reading paused by ourselves? Then silence says nothing about the peer. */
  isPaused(): boolean;
  onSilence(): void;
}

/**
 * Watches one ready connection: sends PINGs if we are to, and heeds the ttl of the peer's PINGs (ZMTP 3.1, "Connection Heartbeats").
 * There are no timers unless one of the two is in use.
 */
export class Heartbeat {
  readonly #target: HeartbeatTarget;
  #interval: NodeJS.Timeout | undefined;
  #answer: Deadline | undefined;
  #ttl: Deadline | undefined;

  constructor(target: HeartbeatTarget) {
    this.#target = target;
  }

  start(options: HeartbeatOptions | false): void {
    if (options === false) return;
    this.#interval = setInterval(() => {
      this.#target.sendPing();
      this.#answer ??= new Deadline(options.timeout, () => {
        this.#answer = undefined;
        if (!this.#target.isPaused()) this.#target.onSilence();
      });
    }, options.interval);
  }

  /** The peer sent something. */
  heard(): void {
    if (this.#answer !== undefined) {
      this.#answer.stop();
      this.#answer = undefined;
    }
    this.#ttl?.restart();
  }

  /** The peer promises to send something within `milliseconds`, again and again. */
  peerPromised(milliseconds: number): void {
    this.#ttl?.stop();
    this.#ttl = new Deadline(milliseconds, () => {
      if (this.#target.isPaused()) this.#ttl?.restart();
      else this.#target.onSilence();
    });
  }

  stop(): void {
    clearInterval(this.#interval);
    this.#answer?.stop();
    this.#ttl?.stop();
  }
}

class Deadline {
  readonly #timer: NodeJS.Timeout;

  constructor(milliseconds: number, onPast: () => void) {
    this.#timer = setTimeout(onPast, milliseconds);
  }

  restart(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

import type { Clock, Timer } from "./clock.ts";

/** Why a subscription is over although its app did not end it. */
export type DeathReason = "never-connected" | "disconnected" | "no-heartbeat";

/** All in milliseconds. */
export interface LivenessLimits {
  readonly subscribeTimeout: number;
  readonly heartbeatTimeout: number;
  readonly linger: number;
}

/**
 * Decides when the app of a subscription is dead (zmq.md, What the original gets wrong, 1 and 3): it never connects within
 * `subscribeTimeout`, or for `linger` it is without a connection or has missed the heartbeats it had begun to send.
 */
export class Liveness {
  readonly #limits: LivenessLimits;
  readonly #clock: Clock;
  readonly #died: (reason: DeathReason) => void;
  /** Waiting for the first connection, or lingering. */
  #deadline: Timer | undefined;
  /** Runs from the first heartbeat on. */
  #pulse: Timer | undefined;
  #seen = false;
  #attached = false;
  #silent = false;

  constructor(limits: LivenessLimits, clock: Clock, died: (reason: DeathReason) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#died = died;
    this.#deadline = clock.after(limits.subscribeTimeout, () => died("never-connected"));
  }

  /** The app's SUB socket is in place. */
  attached(): void {
    if (!this.#seen) this.#cancelDeadline();
    this.#seen = true;
    this.#attached = true;
    this.#reconsider();
  }

  /** The app's SUB socket has left. */
  detached(): void {
    this.#attached = false;
    this.#reconsider();
  }

  heartbeat(): void {
    this.#silent = false;
    if (this.#pulse === undefined) this.#pulse = this.#clock.after(this.#limits.heartbeatTimeout, () => this.#missed());
    else this.#pulse.restart();
    this.#reconsider();
  }

  /** Stops all timers. */
  end(): void {
    this.#cancelDeadline();
    this.#pulse?.cancel();
  }

  #missed(): void {
    this.#silent = true;
    this.#reconsider();
  }

  #reconsider(): void {
    if (!this.#seen) return;
    if (this.#attached && !this.#silent) {
      this.#cancelDeadline();
      return;
    }
    this.#deadline ??= this.#clock.after(this.#limits.linger, () =>
      this.#died(this.#attached ? "no-heartbeat" : "disconnected"),
    );
  }

  #cancelDeadline(): void {
    this.#deadline?.cancel();
    this.#deadline = undefined;
  }
}

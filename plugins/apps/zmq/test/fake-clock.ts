import type { Clock, Timer } from "../src/clock.ts";

/** A clock that moves when it is told to. */
export class FakeClock implements Clock {
  #now = 0;
  readonly #running = new Map<Timer, { due: number; callback: () => void }>();

  /** Timers that are running. */
  get running(): number {
    return this.#running.size;
  }

  after(ms: number, callback: () => void): Timer {
    const timer: Timer = {
      restart: () => void this.#running.set(timer, { due: this.#now + ms, callback }),
      cancel: () => void this.#running.delete(timer),
    };
    timer.restart();
    return timer;
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const [timer, { due, callback }] of [...this.#running]) {
      if (due > this.#now) continue;
      this.#running.delete(timer);
      callback();
    }
  }
}

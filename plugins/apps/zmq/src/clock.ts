/** A running timer. */
export interface Timer {
  /** Starts the time over, also after it has fired. */
  restart(): void;
  cancel(): void;
}

/** Where timers come from; a test brings its own. */
export interface Clock {
  /** Calls `callback` once, `ms` milliseconds from now. */
  after(ms: number, callback: () => void): Timer;
}

/** Node keeps timers of equal length in one list: ten thousand of them cost one wake-up, and restarting one is cheap. */
export const systemClock: Clock = {
  after(ms, callback) {
    const timeout = setTimeout(callback, ms);
    return {
      restart: () => void timeout.refresh(),
      cancel: () => clearTimeout(timeout),
    };
  },
};

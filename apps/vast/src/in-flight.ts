/** Work of one kind that goes on beside its caller, up to a limit. */
export class InFlight {
  readonly #limit: number;
  readonly #maxBytes: number;
  #running = 0;
  #bytes = 0;
  /** Settled by the next piece that ends. */
  #ended: PromiseWithResolvers<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param limit pieces at one time
   * @param maxBytes what they may hold on to together
   */
  constructor(limit: number, maxBytes: number = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
    this.#maxBytes = maxBytes;
  }

  /**
   * Adds a piece of work; resolves when there is room for one more.
   * @param bytes that it holds on to while it goes on
   * @throws the first error of any piece so far
   */
  async add(work: Promise<void>, bytes = 0): Promise<void> {
    this.#running += 1;
    this.#bytes += bytes;
    void work
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#end(bytes));
    while (this.#running >= this.#limit || this.#bytes >= this.#maxBytes) await this.#nextEnd();
    this.#check();
  }

  /** Resolves when all pieces have ended. @throws the first error of any of them */
  async drained(): Promise<void> {
    while (this.#running > 0) await this.#nextEnd();
    this.#check();
  }

  /** Not a race of all pieces: those that last would gather a listener for each one that ends. */
  #nextEnd(): Promise<void> {
    this.#ended ??= Promise.withResolvers();
    return this.#ended.promise;
  }

  #end(bytes: number): void {
    this.#running -= 1;
    this.#bytes -= bytes;
    this.#ended?.resolve();
    this.#ended = undefined;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** At most so many at a time; the others wait in order. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Runs a task when it is its turn. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      // The slot passes on to the next, or becomes free.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** What `withTimeLimit` resolves to when the time is over. */
export const TIMED_OUT = Symbol("timed out");

/** The result of `work`, or TIMED_OUT after `ms` milliseconds; `work` goes on then, and its failure is handled. */
export async function withTimeLimit<T>(work: Promise<T>, ms: number): Promise<T | typeof TIMED_OUT> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<typeof TIMED_OUT>((resolve) => {
    timer = setTimeout(resolve, ms, TIMED_OUT);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

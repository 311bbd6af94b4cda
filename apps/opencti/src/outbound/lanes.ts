/** Something of a lane: what is of the same lane is dealt with in order. */
interface OfLane {
  readonly lane: string;
}

/** `next`: go on with the lane; `skip`: leave the rest of it for later; `stop`: begin nothing more in any lane. */
export type Step = "next" | "skip" | "stop";

/**
 * Works through items, those of one lane in order, several lanes at a time. Resolves when everything begun has ended.
 * @throws what `work` throws first; nothing more is begun then
 */
export async function workInLanes<Item extends OfLane>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item) => Promise<Step>,
): Promise<void> {
  const lanes = [...Map.groupBy(items, ({ lane }) => lane).values()];
  let stopped = false;
  const run = async (): Promise<void> => {
    for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) {
      for (const item of lane) {
        if (stopped) return;
        const step = await work(item);
        if (step === "stop") stopped = true;
        if (step !== "next") break;
      }
    }
  };
  const stopOnError = (error: unknown): never => {
    stopped = true;
    throw error;
  };
  const results = await Promise.allSettled(Array.from({ length: concurrency }, () => run().catch(stopOnError)));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

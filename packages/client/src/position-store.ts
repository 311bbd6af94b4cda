import { z } from "zod";
import { logIdSchema } from "./protocol/requests.ts";

/** How far a subscription has got: the messages up to here were dealt with. */
export interface RememberedPosition {
  readonly position: number;
  /** The durable log that the position belongs to. */
  readonly log: string;
}

/** Where an app keeps the position of one subscription. */
export interface PositionStore {
  /** What was saved last; undefined: nothing was. Called once, before subscribing. */
  load(): RememberedPosition | undefined | Promise<RememberedPosition | undefined>;
  /** Called with the newest position, never again before the promise is settled. */
  save(position: RememberedPosition): void | Promise<void>;
}

export const rememberedSchema = z.object({ position: z.int().min(0), log: logIdSchema });

/** A program under load: anything that speaks the protocol of the zmq plugin. */
import type { Child } from "../../../scripts/child.ts";

export interface System {
  readonly name: string;
  /** Its management port on the loopback address. */
  readonly managePort: number;
  readonly child: Child;
}

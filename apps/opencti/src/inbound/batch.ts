import type { ParsedStix } from "@threatbus/stix";
import type { StreamPosition } from "../stream/start.ts";
import type { Outgoing } from "./mapper.ts";
import type { Published } from "./state-file.ts";

/** What goes to the bus in one go, and what is to be remembered when the bus has it. */
export class Batch {
  readonly messages: ParsedStix[] = [];
  readonly changes = new Map<string, Published | undefined>();
  /** How far the stream was read when everything in here is on the bus. */
  position: StreamPosition | undefined;
  bytes = 0;

  add({ message, id, published }: Outgoing): void {
    this.messages.push(message);
    this.changes.set(id, published);
    this.bytes += message.bytes.length;
  }
}

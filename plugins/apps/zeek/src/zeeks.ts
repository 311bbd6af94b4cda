import { messageOf } from "@threatbus/core";
import type { ZeekEvent } from "@threatbus/zeek-broker";
import { bareName, readManagement } from "./events.ts";
import type { Inbound } from "./inbound.ts";
import type { ZeekOptions } from "./options.ts";
import type { Reports } from "./reports.ts";
import type { Subscriptions } from "./subscriptions.ts";
import { type Link, Zeek } from "./zeek.ts";

export interface ZeeksParts {
  readonly config: ZeekOptions;
  readonly subscriptions: Subscriptions;
  readonly inbound: Inbound;
  readonly reports: Reports;
}

/** The Zeeks that are connected, whichever way, and what they send. */
export class Zeeks {
  readonly #parts: ZeeksParts;
  readonly #connected = new Set<Zeek>();

  constructor(parts: ZeeksParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#connected.size;
  }

  /** Indicators sent and not acknowledged. */
  get inFlight(): number {
    return [...this.#connected].reduce((sum, zeek) => sum + zeek.inFlight, 0);
  }

  join(link: Link): Zeek {
    const { config, subscriptions } = this.#parts;
    const zeek = new Zeek(link, config.max_in_flight, () => subscriptions.wake(zeek));
    this.#connected.add(zeek);
    subscriptions.look(zeek);
    return zeek;
  }

  /** What this Zeek listens to is not what it was. */
  changed(zeek: Zeek): void {
    this.#parts.subscriptions.look(zeek);
  }

  leave(zeek: Zeek): void {
    this.#connected.delete(zeek);
    this.#parts.inbound.forget(zeek.link);
    this.#parts.subscriptions.lost(zeek);
  }

  /** Takes one event. Whatever goes wrong with it costs nothing but the event. */
  take(zeek: Zeek, event: ZeekEvent): void {
    try {
      this.#handle(zeek, event);
    } catch (error) {
      this.#parts.reports.refused("internal", 1, `${event.name}: ${messageOf(error)}`);
    }
  }

  #handle(zeek: Zeek, event: ZeekEvent): void {
    const { config, subscriptions, inbound, reports } = this.#parts;
    const request = readManagement(event, config.module_namespace);
    if (request !== undefined) subscriptions.handle(request, zeek);
    else if (bareName(event.name, config.module_namespace) === "sighting") inbound.take(zeek.link, event);
    else reports.ignored("unknown-event", event.name);
  }
}

import type { DurableLog, LoggedId } from "../contracts/log.ts";
import type { Message, StixMessage } from "../contracts/message.ts";
import { place } from "./message-factory.ts";
import { RecentMap } from "./recent-map.ts";

/** Positions kept by message id: what comes a second time while the first is on its way in has to be among them. */
const REMEMBERED = 10_000;
/** Messages of the last process that are known by their ids: what it was handing over has to be among them. */
export const RECALLED = 10_000;

export interface LogWriterOptions {
  readonly log: DurableLog;
  /** May a message come a second time, from another backbone or redelivered by a broker? */
  readonly deduplicate: boolean;
  /** Hears of messages that the log did not take: they are delivered all the same. */
  readonly onDrop: (count: number) => void;
}

/** What was entered. */
interface Entered {
  readonly last: number;
  readonly entered: readonly StixMessage[];
}

/** Enters STIX messages into the durable log, each once, and gives them their positions. */
export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #positions = new RecentMap<number>(REMEMBERED);
  /** Never forgotten: what a broker has unconfirmed of the last process may come again at the end of a long queue. */
  readonly #recalled = new Map<string, number>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: LogWriterOptions) {
    this.#options = options;
  }

  /** Remembers what an earlier process entered: brokers may bring some of it again. */
  recall(messages: readonly LoggedId[]): void {
    for (const { messageId, position } of messages) this.#recalled.set(messageId, position);
  }

  /**
   * Messages of other types, and those that have a position, are left as they are.
   * @returns those that had not been entered before, and the highest position that was given (0: none was)
   */
  async enter(messages: readonly Message[]): Promise<Entered> {
    const fresh = messages.filter(isUnplaced);
    if (!this.#options.deduplicate) return this.#append(fresh);
    // One after the other: the log may lag behind, and what it is being given is not known before it has it.
    const entering = this.#turn.then(() => this.#enterOnce(fresh));
    this.#turn = entering.catch(() => undefined);
    return entering;
  }

  async #enterOnce(messages: readonly StixMessage[]): Promise<Entered> {
    const entries = new Map<string, StixMessage>();
    const repeated: StixMessage[] = [];
    for (const message of messages) {
      if (this.#recognise(message)) continue;
      if (entries.has(message.id)) repeated.push(message);
      else entries.set(message.id, message);
    }
    const entered = await this.#append([...entries.values()]);
    for (const message of repeated) this.#recognise(message);
    return entered;
  }

  async #append(entries: readonly StixMessage[]): Promise<Entered> {
    if (entries.length === 0) return { last: 0, entered: entries };
    const { first, last, dropped } = await this.#options.log.append(entries);
    if (dropped.length > 0) this.#options.onDrop(dropped.length);
    this.#place(entries, first, new Set(dropped));
    return { last, entered: entries };
  }

  #place(entries: readonly StixMessage[], first: number, dropped: ReadonlySet<number>): void {
    let position = first;
    for (const [index, message] of entries.entries()) {
      if (dropped.size > 0 && dropped.has(index)) continue;
      place(message, position);
      if (this.#options.deduplicate) this.#positions.set(message.id, position);
      position += 1;
    }
  }

  /** @returns true when it was entered before; it then has the same position. */
  #recognise(message: StixMessage): boolean {
    const position = this.#positions.get(message.id) ?? this.#recalled.get(message.id);
    if (position !== undefined) place(message, position);
    return position !== undefined;
  }
}

function isUnplaced(message: Message): message is StixMessage {
  return (message.type === "indicator" || message.type === "sighting") && message.position === undefined;
}

import { JetStreamApiError } from "@nats-io/jetstream";
import { createInbox, errors, headers, type Msg, type Subscription } from "@nats-io/transport-node";
import { inboxOf } from "./connect.ts";
import type { Session } from "./session.ts";
import { subjectOf } from "./subjects.ts";
import type { Entry } from "./window.ts";

/** Milliseconds until an unanswered message is sent again. */
const TIMEOUT = 5_000;
/** Times that the oldest message is looked at in that time. */
const LOOKS = 5;
const NO_RESPONDERS = 503;

/** What becomes of a message that was sent. */
export interface Outcome {
  /** The stream has it; `duplicate`: it had it before. */
  confirmed(entry: Entry, duplicate: boolean): void;
  refused(entry: Entry, error: unknown): void;
}

interface Waiting {
  readonly entry: Entry;
  /** When it was sent, in milliseconds of the process. */
  readonly at: number;
}

/**
 * Publishes, and hears what the stream says to each message, over one subscription. The client's own request makes two
 * promises, a timer and two errors of each message, which cost more than all else that is done with it.
 */
export class Answers {
  readonly #session: Session;
  readonly #outcome: Outcome;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  /** By the last token of the subject for the answer, oldest first. */
  readonly #waiting = new Map<string, Waiting>();
  #sent = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(session: Session, consumer: string, outcome: Outcome) {
    this.#session = session;
    this.#outcome = outcome;
    this.#inbox = createInbox(inboxOf(consumer));
    const callback = (error: Error | null, message: Msg) => this.#hear(error, message);
    this.#subscription = session.connection.subscribe(`${this.#inbox}.*`, { callback });
  }

  /** The outcome may be known, as a refusal, before this returns. */
  send(entry: Entry): void {
    this.#sent += 1;
    const token = String(this.#sent);
    this.#waiting.set(token, { entry, at: performance.now() });
    this.#timer ??= setInterval(() => this.#look(), TIMEOUT / LOOKS);
    const { message, bytes } = entry;
    try {
      const own = headers();
      own.set("Nats-Msg-Id", message.id);
      this.#session.connection.publish(subjectOf(message.type), bytes, {
        reply: `${this.#inbox}.${token}`,
        headers: own,
      });
    } catch (error) {
      this.#waiting.delete(token);
      this.#outcome.refused(entry, error);
    }
  }

  /** What is heard after that is nobody's. */
  close(): void {
    clearInterval(this.#timer);
    this.#waiting.clear();
    if (!this.#session.connection.isClosed()) this.#subscription.unsubscribe();
  }

  #hear(error: Error | null, message: Msg): void {
    if (error !== null) {
      this.#session.fail(error);
      return;
    }
    const token = message.subject.slice(this.#inbox.length + 1);
    const entry = this.#waiting.get(token)?.entry;
    if (entry === undefined) return;
    this.#waiting.delete(token);
    const answer = read(message);
    if (answer instanceof Error) this.#outcome.refused(entry, answer);
    else this.#outcome.confirmed(entry, answer.duplicate);
  }

  #look(): void {
    const [oldest] = this.#waiting.values();
    if (oldest === undefined) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else if (performance.now() - oldest.at > TIMEOUT) {
      this.#outcome.refused(oldest.entry, new errors.TimeoutError());
    }
  }
}

/** `{"stream":"THREATBUS","seq":7,"duplicate":true}`, or `{"error":{...}}`; empty with a status where nobody listens. */
function read(message: Msg): { readonly duplicate: boolean } | Error {
  if (message.data.length === 0 && message.headers?.code === NO_RESPONDERS) {
    return new errors.NoRespondersError(message.subject);
  }
  try {
    const { stream, error, duplicate } = message.json<Partial<Record<string, unknown>>>();
    if (error !== undefined) return new JetStreamApiError(error as ConstructorParameters<typeof JetStreamApiError>[0]);
    return typeof stream === "string"
      ? { duplicate: duplicate === true }
      : new Error("the stream's answer has no name");
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

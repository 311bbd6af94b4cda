import { isAbsolute } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Message, PositionFile } from "@threatbus/client";
import { type ConnectorContext, counter, gauge, nameBasedUuid, PositionGate } from "@threatbus/connector";
import { messageOf } from "@threatbus/core";
import type { Dispatcher } from "undici";
import { type ConnectorInput, GraphqlClient, HttpTransport, OpenctiApi, OpenctiError } from "../graphql/index.ts";
import type { Loops } from "../loops.ts";
import type { Settings } from "../options.ts";
import type { Need } from "./account.ts";
import { DeadLetters } from "./dead-letters.ts";
import { Delivery } from "./delivery.ts";
import { Drain } from "./drain.ts";
import { receive } from "./receive.ts";
import { keepRegistered } from "./registration.ts";
import { answerSnapshot } from "./snapshot-answers.ts";
import { Spool } from "./spool/spool.ts";

export interface OutboundParts {
  readonly context: ConnectorContext<Settings>;
  readonly loops: Loops;
  readonly dispatcher: Dispatcher;
  /** How far the live stream was read. */
  readonly streamState: () => string | undefined;
  /** An administrator of OpenCTI has reset the connector; undefined: it is to begin anew. */
  readonly onReset: (state: string | undefined) => void;
}

export interface Outbound {
  /** Whether OpenCTI knows the token; undefined: it could not be asked. */
  access(signal: AbortSignal): Promise<boolean | undefined>;
  /** Finds out who we are in OpenCTI, which the loop protection has to know. @throws OpenctiError; the signal's reason */
  prepare(signal: AbortSignal): Promise<void>;
  /** After all workers have ended. */
  close(): Promise<void>;
}

/** Name of this direction in the health. */
const PART = "opencti";

/** The calls of OpenCTI, with the settings of the configuration. */
export function createApi({ opencti }: Pick<Settings, "opencti">, dispatcher: Dispatcher): OpenctiApi {
  const { url, token } = opencti;
  return new OpenctiApi(new GraphqlClient(new HttpTransport({ url, token, dispatcher })));
}

/** Begins to take sightings, and indicators if they are wanted, from the bus to OpenCTI. */
export function startOutbound(parts: OutboundParts): Outbound {
  const { context, loops, dispatcher } = parts;
  const { settings, logger } = context;
  const api = createApi(settings, dispatcher);
  const delivery = new Delivery({ api, loops, logger, settings, needs: needsOf(settings) });
  const topics = topicsOf(settings);
  const close = topics.length === 0 ? async () => undefined : startWriting(parts, delivery, topics);
  const { forward_all_iocs: forwardAll } = settings.connector;
  const onSkipped = (reason: string, sample: string): void => context.drops.note(reason, 1, sample);
  const answering = { api, loops, logger, forwardAll, onSkipped };
  context.client.onSnapshotRequest((question) => answerSnapshot(answering, question));
  return {
    prepare: (signal) => delivery.checkAccount(signal),
    access: async (signal) => {
      try {
        await delivery.checkAccount(signal);
        return true;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof OpenctiError) return error.kind === "credentials" ? false : undefined;
        throw error;
      }
    },
    close,
  };
}

/** @returns what is to be called at the end */
function startWriting(parts: OutboundParts, delivery: Delivery, topics: readonly string[]): () => Promise<void> {
  const { context } = parts;
  const { settings, logger, health, drops } = context;
  const spool = new Spool(context.stateFile("spool.db"), {
    maxBytes: settings.outbound.spool.max_bytes,
    onDiskError: (why) => {
      health.set("spool", why === undefined, why);
      if (why !== undefined) logger.error({ error: why }, "the spool cannot be written");
    },
  });
  const gate = new PositionGate(new PositionFile(context.stateFile("bus.position")), (error) => {
    logger.warn({ error: messageOf(error) }, "a position could not be saved; after a restart messages come again");
  });
  const { onOutcome, onDeadLetter } = metricsOf(context, spool);
  const isOwn = ({ id, modified }: Message["object"]): boolean => {
    if (!parts.loops.wasPublished(id, modified)) return false;
    onOutcome("own");
    return true;
  };
  context.work("receive", (signal) => {
    // A run that failed has ended its subscription: the next one has its own.
    const messages = context.subscribe(topics, { position: gate });
    return receive({ messages, spool, gate, isOwn, logger }, signal);
  });
  const drain = new Drain({
    spool,
    delivery,
    deadLetters: new DeadLetters({
      path: deadLettersPath(context),
      onLost: (path) => {
        drops.note("dead_letters_full");
        logger.error({ file: path }, "there are too many dead letters: the oldest file is given up");
      },
    }),
    logger,
    onState: (ok, detail) => health.set(PART, ok, detail),
    onOutcome,
    onDeadLetter,
  });
  health.set(PART, false, "connecting to OpenCTI");
  context.work("outbound", (signal) => drain.run(signal));
  if (settings.outbound.register) startRegistration(parts, spool);
  return async () => {
    spool.close();
    // Those who wait for the last writing let their positions pass first.
    await setImmediate();
    await gate.settled();
  };
}

function startRegistration({ context, dispatcher, streamState: state, onReset }: OutboundParts, spool: Spool): void {
  const { settings, logger } = context;
  const api = createApi(settings, dispatcher);
  const connector = connectorOf(settings);
  const queue = () => ({ size: spool.size, bytes: spool.bytes });
  context.work("registration", (signal) => keepRegistered({ api, logger, connector, state, onReset, queue }, signal));
}

function metricsOf({ metrics, drops }: ConnectorContext<Settings>, spool: Spool) {
  const outcomes = counter(metrics, "threatbus_opencti_outbound_total", {
    help: "Objects from the bus that were dealt with, by what became of them.",
    labels: ["outcome"],
  });
  gauge(metrics, "threatbus_opencti_spool_entries", {
    help: "Objects that wait to be written to OpenCTI.",
    collect: (metric) => metric.set(spool.size),
  });
  gauge(metrics, "threatbus_opencti_spool_bytes", {
    help: "Bytes that these objects take on disk.",
    collect: (metric) => metric.set(spool.bytes),
  });
  return {
    onOutcome: (outcome: string) => outcomes.inc({ outcome }),
    onDeadLetter: (reason: string, body: Buffer) => {
      outcomes.inc({ outcome: "dead_letter" });
      drops.note(reason, 1, body);
    },
  };
}

function deadLettersPath({ settings, stateFile }: ConnectorContext<Settings>): string {
  const { dead_letters: path } = settings.outbound;
  return isAbsolute(path) ? path : stateFile(path);
}

function topicsOf({ outbound }: Settings): string[] {
  return [...(outbound.sightings ? ["stix2/sighting"] : []), ...(outbound.indicators ? ["stix2/indicator"] : [])];
}

function needsOf({ outbound }: Settings): Need[] {
  const { sightings, indicators, on_remove, register } = outbound;
  const write = { capability: "KNOWLEDGE_KNUPDATE", purpose: "nothing can be written" };
  const remove = { capability: "KNOWLEDGE_KNUPDATE_KNDELETE", purpose: "indicators cannot be deleted" };
  return [
    { capability: "TAXIIAPI", purpose: "the live stream cannot be read" },
    ...(sightings || indicators ? [write] : []),
    ...(indicators && on_remove === "delete" ? [remove] : []),
    ...(register ? [{ capability: "CONNECTORAPI", purpose: "the connector does not show in OpenCTI" }] : []),
  ];
}

/** How the connector shows in OpenCTI; without an id in the configuration always the same one. */
function connectorOf({ opencti, connector }: Settings): ConnectorInput {
  const { id = nameBasedUuid("opencti-connector", opencti.url, connector.name), name, scope } = connector;
  const scopes = scope.split(",").map((part) => part.trim());
  const fixed = { auto: false, only_contextual: false, playbook_compatible: false } as const;
  return { id, name, type: "STREAM", scope: scopes.filter((part) => part !== ""), ...fixed };
}

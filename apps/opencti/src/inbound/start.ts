import { type ConnectorContext, counter, gauge } from "@threatbus/connector";
import { timestampMicros } from "@threatbus/stix";
import type { Dispatcher } from "undici";
import type { Loops } from "../loops.ts";
import type { Settings } from "../options.ts";
import { type AccessCheck, StreamFollower } from "../stream/follow.ts";
import type { StreamPosition } from "../stream/start.ts";
import { IMPORT_REQUEST } from "./import-command.ts";
import { ImportRequest } from "./import-request.ts";
import { importDate, parseImport } from "./import-start.ts";
import { Inbound, type InboundOptions } from "./inbound.ts";
import type { StateFile } from "./state-file.ts";

export interface InboundParts {
  readonly context: ConnectorContext<Settings>;
  readonly state: StateFile;
  readonly loops: Loops;
  readonly dispatcher: Dispatcher;
  readonly access: AccessCheck;
  /** Finds out who we are in OpenCTI, before the first event is read. */
  readonly prepare: (signal: AbortSignal) => Promise<void>;
}

export interface Inflow {
  /** How far the live stream was read, as OpenCTI's own connectors tell it. */
  state(): string | undefined;
  /** Reads all indicators again, from the database; those changed since a state that was told, if it is one. */
  restart(state: string | undefined): Promise<void>;
}

/** Name of this direction in the health. */
const PART = "opencti_stream";
/** Milliseconds without a byte after which a stream with heartbeats (every 5 s) is given up. */
const SILENCE = 60_000;
const ANSWER_TIMEOUT = 60_000;

/** Begins to read OpenCTI's live stream and to publish its indicators. */
export function startInbound({ context, state, loops, dispatcher, access, prepare }: InboundParts): Inflow {
  const { settings, logger, health } = context;
  const { opencti, connector } = settings;
  const request = new ImportRequest(context.stateFile(IMPORT_REQUEST));
  const inbound = inboundOptions(context, state, loops);
  const follower = new StreamFollower({
    request: {
      url: `${opencti.url.replace(/\/+$/, "")}/stream/${connector.live_stream_id}`,
      token: opencti.token,
      listenDelete: connector.live_stream_listen_delete,
      noDependencies: connector.live_stream_no_dependencies,
      dispatcher,
      maxFrameBytes: settings.inbound.max_event_size,
      silence: SILENCE,
      answerTimeout: ANSWER_TIMEOUT,
    },
    logger,
    onState: (connected, detail) => health.set(PART, connected, detail),
    position: () => state.position,
    begin: (position) => state.commit(new Map(), position),
    sink: (position, signal) => new Inbound(inbound, position, signal),
    importFrom: async () => (await request.pending()) ?? firstImport(settings, state),
    importBegun: () => request.done(),
    importWanted: (signal) => request.wanted(signal),
    access,
    prepare,
  });
  health.set(PART, false, "connecting to OpenCTI");
  context.work("stream", (signal) => follower.run(signal));
  return {
    state: () => toldState(state.position),
    restart: (told) => request.ask(startOf(told)),
  };
}

function toldState(position: StreamPosition | undefined): string | undefined {
  if (position === undefined) return undefined;
  const { from: start_from, recoverUntil: recover_until } = position;
  return JSON.stringify({ start_from, ...(recover_until === undefined ? {} : { recover_until }) });
}

/** Where a state begins that an administrator has set; the very beginning for none, and for one that says nothing. */
function startOf(told: string | undefined): Date {
  const [, ms = "0"] = /"start_from"\s*:\s*"(\d{1,15})-\d+"/.exec(told ?? "") ?? [];
  return new Date(Number(ms));
}

function firstImport({ inbound }: Settings, state: StateFile): Date | undefined {
  const start = state.position === undefined ? parseImport(inbound.import) : undefined;
  return start === undefined ? undefined : importDate(start, Date.now());
}

function inboundOptions(context: ConnectorContext<Settings>, state: StateFile, loops: Loops): InboundOptions {
  const { settings, logger, metrics, drops, health } = context;
  const ignored = counter(metrics, "threatbus_opencti_ignored_total", {
    help: "Events of the live stream that gave no message, by reason.",
    labels: ["reason"],
  });
  gauge(metrics, "threatbus_opencti_published_indicators", {
    help: "Indicators of OpenCTI that are on the bus.",
    collect: (metric) => metric.set(state.publishedCount),
  });
  let toldVersion = false;
  return {
    publish: (messages, signal) => context.publish(messages, signal),
    state,
    loops,
    drops,
    forwardAll: settings.connector.forward_all_iocs,
    now: Date.now,
    onIgnored: (reason) => ignored.inc({ reason }),
    onNewVersion: (version) => {
      if (!toldVersion) logger.warn({ version }, "OpenCTI's events are of a newer version than this connector knows");
      toldVersion = true;
    },
    onReplayed: () => {
      logger.info({ published: state.publishedCount }, "all indicators that were asked for have come");
      health.set(PART, true, "connected");
    },
  };
}

/** Whether this state of an indicator is what the bus has. */
export function isOnBus(state: StateFile, id: string, modified: string): boolean {
  return id.startsWith("indicator--") && state.published(id)?.modified === timestampMicros(modified);
}

import { type Dispatcher, request } from "undici";
import { type Frame, FrameParser } from "./frames.ts";
import type { StreamPosition } from "./start.ts";

/** OpenCTI did not open its stream. */
export class StreamRefused extends Error {
  override readonly name = "StreamRefused";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Nothing came any more from an OpenCTI that had sent heartbeats. */
class StreamSilent extends Error {
  override readonly name = "StreamSilent";
}

export interface StreamRequest {
  /** `https://opencti.example.org/stream/<id>` */
  readonly url: string;
  readonly token: string;
  readonly listenDelete: boolean;
  readonly noDependencies: boolean;
  readonly dispatcher: Dispatcher;
  /** Largest frame in bytes. */
  readonly maxFrameBytes: number;
  /** Milliseconds without a byte after which a stream with heartbeats is given up. */
  readonly silence: number;
  /** Milliseconds for the answer to the request. */
  readonly answerTimeout: number;
}

const EVENT_STREAM = "text/event-stream";

/**
 * One connection to the live stream, from its answer on. Ends when OpenCTI ends it, which it does once a day at least.
 * @param position undefined: from now on
 * @throws StreamRefused, StreamSilent, what undici throws for a connection that fails or breaks, the signal's reason
 */
export async function* streamFrames(
  options: StreamRequest,
  position: StreamPosition | undefined,
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  const end = new AbortController();
  const answer = await request(urlOf(options.url, position), {
    dispatcher: options.dispatcher,
    headers: headersOf(options, position),
    headersTimeout: options.answerTimeout,
    // Silence is our own affair: without a position OpenCTI may have nothing to say for days.
    bodyTimeout: 0,
    signal: AbortSignal.any([signal, end.signal]),
  });
  const { statusCode: status, headers, body } = answer;
  try {
    if (status !== 200) throw new StreamRefused(status, refusalOf(status, headers.location));
    if (!String(headers["content-type"] ?? "").startsWith(EVENT_STREAM)) {
      throw new StreamRefused(status, "the answer is no event stream: is opencti.url the address of OpenCTI?");
    }
    const parser = new FrameParser(options.maxFrameBytes);
    // The first frame comes at once; after it there is only silence where nothing happens and no heartbeats are sent.
    let expectsMore = true;
    let hasHeartbeats = false;
    for await (const chunk of patiently(body, () => (expectsMore ? options.silence : undefined))) {
      expectsMore = hasHeartbeats;
      for (const frame of parser.push(chunk)) {
        if (frame.event === "heartbeat") {
          hasHeartbeats = true;
          expectsMore = true;
        }
        yield frame;
      }
    }
  } finally {
    body.on("error", () => undefined);
    body.destroy();
    end.abort();
  }
}

function urlOf(base: string, position: StreamPosition | undefined): string {
  if (position?.recoverUntil === undefined) return base;
  return `${base}?${new URLSearchParams({ from: position.from, recover: position.recoverUntil })}`;
}

function headersOf(options: StreamRequest, position: StreamPosition | undefined): Record<string, string> {
  return {
    authorization: `Bearer ${options.token}`,
    accept: EVENT_STREAM,
    "listen-delete": String(options.listenDelete),
    "no-dependencies": String(options.noDependencies),
    ...(position === undefined ? {} : { "last-event-id": position.from }),
  };
}

/** The reasons are OpenCTI's; it gives them only in the reason phrase, which HTTP/2 and proxies drop. */
function refusalOf(status: number, location: unknown): string {
  if (status === 401 || status === 403) {
    return (
      `OpenCTI refuses the stream (${status}): the token is wrong or expired, there is no stream with the id of ` +
      "connector.live_stream_id, or the user has not the capability TAXIIAPI (for the stream live: BYPASS), is no " +
      "member of a restricted stream, or may not see any of its markings"
    );
  }
  if (status === 410) return "the stream is stopped in OpenCTI (410): start it there";
  if (status === 404) return "there is no such address (404): is opencti.url right?";
  if (status >= 300 && status < 400) return `OpenCTI redirects (${status}) to ${String(location)}: correct opencti.url`;
  return `OpenCTI cannot open the stream now (${status})`;
}

/** The chunks of a body. Only the time of waiting counts: a slow reader is no silence. */
async function* patiently(
  body: AsyncIterable<Buffer>,
  patience: () => number | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const chunks = body[Symbol.asyncIterator]();
  while (true) {
    const limit = patience();
    const next = limit === undefined ? await chunks.next() : await within(limit, chunks.next());
    if (next.done === true) return;
    yield next.value;
  }
}

async function within<T>(limit: number, promise: Promise<T>): Promise<T> {
  const silent = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    silent.reject(new StreamSilent(`nothing came from OpenCTI for ${limit / 1_000} s`));
  }, limit);
  try {
    return await Promise.race([promise, silent.promise]);
  } finally {
    clearTimeout(timer);
    // It is read by nobody once the body is closed.
    promise.catch(() => undefined);
  }
}

import {
  DiscardPolicy,
  type JetStreamManager,
  RetentionPolicy,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { API, apiCode } from "./failures.ts";
import type { NatsOptions } from "./options.ts";
import { ALL_SUBJECTS } from "./subjects.ts";

/** How long the stream recognises a message that is sent to it again, in milliseconds; not longer than it keeps it. */
const DUPLICATE_WINDOW = 120_000;

type Wanted = Pick<
  StreamConfig,
  "subjects" | "retention" | "storage" | "num_replicas" | "max_age" | "max_bytes" | "discard"
>;

/** The stream as it is; it is created when it is missing. */
export async function ensureStream(jsm: JetStreamManager, options: NatsOptions): Promise<StreamInfo> {
  try {
    return await jsm.streams.info(options.stream);
  } catch (error) {
    if (apiCode(error) !== API.streamNotFound) throw error;
  }
  try {
    const { max_age } = options;
    const duplicates = max_age === 0 ? DUPLICATE_WINDOW : Math.min(DUPLICATE_WINDOW, max_age);
    return await jsm.streams.add({ name: options.stream, ...wanted(options), duplicate_window: nanos(duplicates) });
  } catch (error) {
    // Another instance was faster, with other settings.
    if (apiCode(error) !== API.streamNameInUse) throw error;
    return jsm.streams.info(options.stream);
  }
}

/** What of the stream is not as the configuration says: `replicas is 1, not 3`. */
export function differences(config: StreamConfig, options: NatsOptions): readonly string[] {
  return Object.entries(wanted(options)).flatMap(([key, value]) => {
    const actual = config[key as keyof Wanted];
    if (key === "subjects" && Array.isArray(actual) && actual.includes(">")) return [];
    return JSON.stringify(actual) === JSON.stringify(value)
      ? []
      : [`${key} is ${JSON.stringify(actual)}, not ${JSON.stringify(value)}`];
  });
}

function wanted({ replicas, max_age, max_bytes }: NatsOptions): Wanted {
  return {
    subjects: [ALL_SUBJECTS],
    retention: RetentionPolicy.Limits,
    storage: "file",
    num_replicas: replicas,
    max_age: nanos(max_age),
    max_bytes,
    // A full stream must not stop the sites that do keep up.
    discard: DiscardPolicy.Old,
  };
}

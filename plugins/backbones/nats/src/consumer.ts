import { AckPolicy, type ConsumerInfo, DeliverPolicy, type JetStreamManager } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { MessageType } from "@threatbus/core";
import { API, apiCode } from "./failures.ts";
import type { NatsOptions } from "./options.ts";
import { ALL_SUBJECTS, filtersOf, typesOf } from "./subjects.ts";

/** Servers know several filter subjects per consumer since this version; an older one gets a filter for everything. */
const SEVERAL_FILTERS = [2, 10] as const;

/** @param version as the server gives it: `2.9.10`. */
export function knowsSeveralFilters(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > SEVERAL_FILTERS[0] || (major === SEVERAL_FILTERS[0] && minor >= SEVERAL_FILTERS[1]);
}

export interface ConsumerRequest {
  readonly options: NatsOptions;
  readonly version: string;
  /** Types that somebody here has subscribed to. */
  readonly wanted: ReadonlySet<MessageType>;
}

export interface EnsuredConsumer {
  readonly info: ConsumerInfo;
  /** It was there before. */
  readonly existed: boolean;
}

/**
 * The durable consumer of this instance, created when it is missing: then it begins with what comes from now on.
 *
 * Its filter only grows. Apps subscribe again some time after a restart, and come back with a position after days: what
 * they missed must have entered the durable log meanwhile.
 */
export async function ensureConsumer(jsm: JetStreamManager, request: ConsumerRequest): Promise<EnsuredConsumer> {
  const { stream, consumer } = request.options;
  const existing = await infoOf(jsm, request.options);
  const config = configOf(request, existing);
  if (existing === undefined) {
    const fixed = { durable_name: consumer, ack_policy: AckPolicy.Explicit, deliver_policy: DeliverPolicy.New };
    return { info: await jsm.consumers.add(stream, { ...fixed, ...config }), existed: false };
  }
  check(existing);
  if (!isSame(existing, config)) {
    // Both forms are named, as the update would keep the other one.
    const filters = { filter_subject: undefined, filter_subjects: undefined };
    const changed = { ...filters, ...config } as Agreed;
    return { info: await jsm.consumers.update(stream, consumer, changed), existed: true };
  }
  return { info: existing, existed: true };
}

/** The subjects that a consumer gets; none means all of the stream. */
export function filtersOfConsumer({ config }: ConsumerInfo): readonly string[] {
  if (config.filter_subjects !== undefined && config.filter_subjects.length > 0) return config.filter_subjects;
  return config.filter_subject === undefined || config.filter_subject === "" ? [] : [config.filter_subject];
}

/** Does it get everything that the stream has? */
export function isUnfiltered(info: ConsumerInfo): boolean {
  const filters = filtersOfConsumer(info);
  return filters.length === 0 || filters.includes(ALL_SUBJECTS);
}

async function infoOf(jsm: JetStreamManager, options: NatsOptions): Promise<ConsumerInfo | undefined> {
  try {
    return await jsm.consumers.info(options.stream, options.consumer);
  } catch (error) {
    if (apiCode(error) === API.consumerNotFound) return undefined;
    throw error;
  }
}

/** What of the consumer follows the configuration and the subscriptions. */
interface Agreed {
  readonly ack_wait: number;
  readonly max_ack_pending: number;
  readonly filter_subject?: string;
  readonly filter_subjects?: string[];
}

function configOf({ options, version, wanted }: ConsumerRequest, existing: ConsumerInfo | undefined): Agreed {
  const types = new Set([...wanted, ...(existing === undefined ? [] : typesOf(filtersOfConsumer(existing)))]);
  const filters = knowsSeveralFilters(version) ? filtersOf(types) : [ALL_SUBJECTS];
  const [single] = filters;
  return {
    ack_wait: nanos(options.ack_wait),
    max_ack_pending: options.max_ack_pending,
    ...(filters.length === 1 && single !== undefined ? { filter_subject: single } : { filter_subjects: [...filters] }),
  };
}

function isSame(existing: ConsumerInfo, config: Agreed): boolean {
  const { ack_wait, max_ack_pending } = existing.config;
  const filters = config.filter_subjects ?? [config.filter_subject];
  return (
    ack_wait === config.ack_wait &&
    max_ack_pending === config.max_ack_pending &&
    JSON.stringify([...filtersOfConsumer(existing)].sort()) === JSON.stringify(filters)
  );
}

/** @throws Error when a consumer of that name was made for something else. */
function check({ name, config }: ConsumerInfo): void {
  const isPull = config.deliver_subject === undefined || config.deliver_subject === "";
  if (isPull && config.ack_policy === AckPolicy.Explicit) return;
  throw new Error(`consumer ${name} was not made by Threat Bus: choose another instance name, or delete it`);
}

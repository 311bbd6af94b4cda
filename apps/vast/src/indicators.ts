import type { Message } from "@threatbus/client";
import type { PositionGate } from "@threatbus/connector";
import { type DropReport, type Logger, messageOf } from "@threatbus/core";
import type { Indicator } from "@threatbus/stix";
import { InFlight } from "./in-flight.ts";
import { type Ioc, iocOf, refusal } from "./ioc.ts";
import type { Matcher } from "./matcher.ts";
import type { IndicatorText } from "./matches.ts";
import type { VastMetrics } from "./metrics.ts";
import type { ValueRegistry } from "./registry.ts";
import type { RetroMatching } from "./retro.ts";

/** Live matching: where values go, and what is remembered of them. */
export interface LiveSide {
  readonly matcher: Matcher;
  readonly registry: ValueRegistry;
  /** The form in which the matcher holds a value. */
  readonly valueOf: (ioc: Ioc) => string;
  /** Most indicators with a value. */
  readonly maxIndicators: number;
  /** Hears whether there is room for more, whenever an indicator gets or loses its value. */
  readonly onRoom: (hasRoom: boolean) => void;
}

export interface IndicatorParts {
  readonly gate: PositionGate;
  readonly metrics: VastMetrics;
  readonly drops: Pick<DropReport, "note">;
  readonly logger: Logger;
  /** undefined: no retro matching. */
  readonly retro: Pick<RetroMatching, "match"> | undefined;
  /** undefined: no live matching. */
  readonly live: LiveSide | undefined;
  /** Indicators that are dealt with at one time; further ones wait at the bus. */
  readonly maxOpen: number;
  /** Bytes of their texts, beyond which further ones wait as well. */
  readonly maxOpenBytes: number;
}

/** Deals with indicators from the bus until the subscription ends. */
export async function followIndicators(
  messages: AsyncIterable<Message>,
  parts: IndicatorParts,
  signal: AbortSignal,
): Promise<void> {
  const open = new InFlight(parts.maxOpen, parts.maxOpenBytes);
  for await (const message of messages) {
    if (message.type !== "indicator") continue;
    await open.add(dealWith(message, parts, signal), message.bytes.length);
  }
  await open.drained();
}

/**
 * One indicator: the position of the bus passes it when its searches have ended and the matcher has its value. Never
 * rejects; one that fails must not stop the others.
 */
async function dealWith(indicator: IndicatorMessage, parts: IndicatorParts, signal: AbortSignal): Promise<void> {
  const done = parts.gate.begin();
  try {
    await (isRemoval(indicator.object) ? remove(indicator, parts) : add(indicator, parts, signal));
  } catch (error) {
    // What was not finished is begun again after the next start.
    if (signal.aborted) return;
    parts.logger.error({ indicator: indicator.object.id, error: messageOf(error) }, "an indicator was given up");
    parts.drops.note("indicator_failed", 1, indicator.object.id);
  }
  done();
}

type IndicatorMessage = IndicatorText & { readonly object: Indicator };

/** A revoked indicator is no longer valid (STIX 2.1, 3.2): it is not matched. */
function isRemoval({ x_threatbus_update: update, revoked }: Indicator): boolean {
  return update === "REMOVE" || revoked === true;
}

async function add(indicator: IndicatorMessage, parts: IndicatorParts, signal: AbortSignal): Promise<void> {
  const { metrics, retro, live, drops } = parts;
  const { object } = indicator;
  metrics.added();
  const ioc = usableIoc(object, parts);
  await Promise.all([
    live === undefined ? undefined : assign(live, object.id, ioc && liveValue(live, object.id, ioc, drops)),
    ioc === undefined ? undefined : retro?.match(indicator, ioc, signal),
  ]);
}

/** The value goes when no other indicator has it; the one of an indicator that was never added goes, too. */
async function remove({ object }: IndicatorMessage, parts: IndicatorParts): Promise<void> {
  const { metrics, live } = parts;
  metrics.removed();
  if (live === undefined) return;
  const ioc = iocOf(object.pattern);
  const last = ioc === undefined || refusal(ioc) !== undefined ? [] : [live.valueOf(ioc)];
  await assign(live, object.id, undefined, last);
}

/** The value to match live; undefined: there are too many indicators already. */
function liveValue(live: LiveSide, id: string, ioc: Ioc, drops: IndicatorParts["drops"]): string | undefined {
  if (live.registry.has(id) || live.registry.indicators < live.maxIndicators) return live.valueOf(ioc);
  drops.note("matcher_full", 1, id);
  return undefined;
}

async function assign(
  live: LiveSide,
  id: string,
  value: string | undefined,
  more: readonly string[] = [],
): Promise<void> {
  const values = new Set([...live.registry.set(id, value), ...more]);
  live.onRoom(live.registry.indicators < live.maxIndicators);
  await live.registry.save();
  await live.matcher.update([...values]);
}

function usableIoc({ id, pattern }: Indicator, { drops, logger }: IndicatorParts): Ioc | undefined {
  const ioc = iocOf(pattern);
  if (ioc === undefined) {
    logger.debug({ indicator: id }, "its pattern is no single address, domain name or URL");
    return undefined;
  }
  const reason = refusal(ioc);
  if (reason === undefined) return ioc;
  drops.note(reason, 1, ioc.value);
  return undefined;
}

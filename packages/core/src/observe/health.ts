/** How the bus is, in parts, for whoever watches it. */

export interface HealthPart {
  /** `log`, `workers`, `backbone rabbitmq`, `plugin zmq`. */
  readonly name: string;
  readonly ok: boolean;
  /** For a person: how it is, or what is wrong with it. */
  readonly detail: string;
}

export interface HealthReport {
  /** Is every part well? */
  readonly ok: boolean;
  readonly parts: readonly HealthPart[];
}

export function healthReport(parts: readonly HealthPart[]): HealthReport {
  return { ok: parts.every(({ ok }) => ok), parts };
}

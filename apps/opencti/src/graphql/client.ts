import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "@threatbus/core";
import { z } from "zod";
import { errorOfReply, errorOfStatus, OpenctiError } from "./errors.ts";
import type { Operation } from "./operation.ts";
import type { HttpReply, Transport } from "./transport.ts";

/** How often a call is tried before its failure is told, and the pauses between. */
export interface RetryOptions {
  /** Default 3. */
  readonly attempts?: number;
  /** Milliseconds before the second attempt, default 200; from then on doubling, up to `max`. */
  readonly min?: number;
  /** Default 5 s. */
  readonly max?: number;
}

const errorData = z
  .object({
    http_status: z.number().optional(),
    doc_code: z.string().max(64).optional(),
    reason: z.string().optional(),
  })
  .nullish()
  .catch(undefined);
const replyError = z.object({
  message: z.string().optional(),
  name: z.string().optional(),
  data: errorData,
  extensions: z.object({ code: z.string().optional(), data: errorData }).optional().catch(undefined),
});
const replySchema = z.object({
  data: z.unknown().optional(),
  errors: z.array(replyError).min(1).max(1_000).optional(),
});

/** Milliseconds before attempt `attempt` + 1: doubling, the upper half at random, so that many do not come at once. */
export function backoff(attempt: number, min: number, max: number): number {
  const full = Math.min(max, min * 2 ** Math.min(attempt - 1, 30));
  return full / 2 + (Math.random() * full) / 2;
}

/** Calls OpenCTI, and gives typed answers or an OpenctiError. */
export class GraphqlClient {
  readonly #transport: Transport;
  readonly #retry: Required<RetryOptions>;

  constructor(transport: Transport, retry: RetryOptions = {}) {
    this.#transport = transport;
    this.#retry = { attempts: 3, min: 200, max: 5_000, ...retry };
  }

  /**
   * One call, tried again a few times where that can help. All documents can be sent twice: what they write is found again
   * by its name, its pattern or its STIX id.
   * @throws OpenctiError; the signal's reason
   */
  async call<Variables extends object, Data>(
    operation: Operation<Variables, Data>,
    variables: Variables,
    signal: AbortSignal,
  ): Promise<Data> {
    const { attempts, min, max } = this.#retry;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(operation, variables, signal);
      } catch (error) {
        if (attempt >= attempts || !isTemporary(error)) throw error;
        await sleep(backoff(attempt, min, max), undefined, { signal });
      }
    }
  }

  async #once<Variables extends object, Data>(
    operation: Operation<Variables, Data>,
    variables: Variables,
    signal: AbortSignal,
  ): Promise<Data> {
    const reply = await this.#transport.post(JSON.stringify({ query: operation.text, variables }), signal);
    const { data, errors } = readReply(reply);
    if (errors !== undefined) throw named(errorOfReply(errors), operation);
    const parsed = operation.data.safeParse(data);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const what = `${operation.name}: unexpected answer at ${issue?.path.join(".")}: ${issue?.message}`;
    throw new OpenctiError("ours", "UNEXPECTED_ANSWER", what);
  }
}

function isTemporary(error: unknown): boolean {
  return error instanceof OpenctiError && (error.kind === "unreachable" || error.kind === "busy");
}

/** @throws OpenctiError where it is no answer of GraphQL */
function readReply({ status, contentType, text }: HttpReply): z.infer<typeof replySchema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw errorOfStatus(status, contentType);
  }
  const reply = replySchema.safeParse(json);
  if (!reply.success) throw errorOfStatus(status, contentType);
  // A gateway's own words may be JSON, too.
  if (status >= 500 || status === 429 || (status !== 200 && reply.data.errors === undefined)) {
    throw errorOfStatus(status, contentType);
  }
  if (status === 400 && reply.data.errors?.every(({ extensions }) => extensions?.code === undefined)) {
    const messages = reply.data.errors.map(({ message }) => message ?? "").join("; ");
    throw new OpenctiError("ours", "GRAPHQL_VALIDATION_FAILED", messages.slice(0, 500));
  }
  return reply.data;
}

/** Says which call it was, and what is to be done where only people can do it. */
function named(error: OpenctiError, { name, capability }: Operation<never, unknown>): OpenctiError {
  return new OpenctiError(error.kind, error.code, `${name}: ${messageOf(error)}${hintOf(error, capability)}`, error);
}

function hintOf({ kind, code }: OpenctiError, capability: string | undefined): string {
  if (code === "OTP_REQUIRED") return "; the user has a second factor, with which no connector can log in";
  if (kind === "credentials") return "; is opencti.token right, and still valid?";
  return kind === "forbidden" && capability !== undefined ? `; the user needs ${capability}` : "";
}

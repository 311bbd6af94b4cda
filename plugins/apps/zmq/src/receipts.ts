/**
 * Receipts for what an app publishes: it asks, behind its messages and on the same connection, with a frame
 * `threatbus/receipt {"topic":"<P>","number":7}`, and is told `<P>receipt {"number":7}` when everything before that frame
 * is accepted. Numbers rise: a receipt stands for all that were asked for before it.
 */
import { z } from "zod";

export interface ReceiptRequest {
  /** The p2p topic of the subscription that is told. */
  readonly topic: string;
  readonly number: number;
}

/** Longest payload that is looked at, in bytes; ours have some 60. */
const MAX_BYTES = 512;

const schema = z.object({ topic: z.string().max(256), number: z.int().min(1) });

/** Reads the payload of a request; undefined: it is none. */
export function readReceiptRequest(payload: Buffer): ReceiptRequest | undefined {
  if (payload.length > MAX_BYTES) return undefined;
  try {
    return schema.parse(JSON.parse(payload.toString()));
  } catch {
    return undefined;
  }
}

/** The whole frame that tells an app that the bus has what it published. */
export function receiptFrame(p2pTopic: string, number: number): Buffer {
  return Buffer.from(`${p2pTopic}receipt {"number":${number}}`);
}

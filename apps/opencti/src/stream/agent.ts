import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { messageOf } from "@threatbus/core";
import { Agent } from "undici";

export interface TlsSettings {
  /** Whether the certificate must be valid. */
  readonly ssl_verify: boolean;
  /** File of certificates to trust instead of the system's. */
  readonly ca?: string | undefined;
}

/** Milliseconds until a connection stands. */
const CONNECT_TIMEOUT = 20_000;
/** Milliseconds of silence after which TCP asks whether the other side is still there. */
const KEEP_ALIVE = 30_000;

/**
 * How OpenCTI is spoken to over HTTP.
 * @throws Error when the file of `ca` cannot be read, or has no certificate
 */
export async function createAgent({ ssl_verify, ca }: TlsSettings): Promise<Agent> {
  const certificates = ca === undefined ? undefined : await readCertificates(ca);
  return new Agent({
    connect: {
      timeout: CONNECT_TIMEOUT,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE,
      rejectUnauthorized: ssl_verify,
      ...(certificates === undefined ? {} : { ca: certificates }),
    },
  });
}

async function readCertificates(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new Error(`opencti.ca: ${path} cannot be read: ${messageOf(cause)}`, { cause });
  });
  try {
    // TLS passes over what is none, and would then trust nobody.
    new X509Certificate(text);
  } catch (cause) {
    throw new Error(`opencti.ca: ${path} has no certificate (PEM): ${messageOf(cause)}`, { cause });
  }
  return text;
}

import { connect as connectTcp, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TlsOptions } from "node:tls";
import type { Address } from "../address.ts";

/** Both sides show a certificate that the other's `ca` has signed (Zeek: Broker::ssl_certificate, ssl_keyfile, ssl_cafile). */
export interface MutualTls {
  /** PEM. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly ca: string | Buffer;
  readonly passphrase?: string;
  /** When dialling: must the certificate name the host? Default true; Zeek itself does not look. */
  readonly checkHost?: boolean;
}

/**
 * How connections are protected.
 * "anonymous": encrypted without certificates, Zeek's default; it keeps out listeners, not impostors.
 * "off": plain TCP (Zeek: Broker::disable_ssl). "auto": a listener takes both, a dialling side uses "anonymous".
 */
export type TlsOption = "auto" | "anonymous" | "off" | MutualTls;

/** What Zeek offers: anonymous ECDH, which OpenSSL allows only at security level 0 and TLS 1.2. */
const ANONYMOUS = {
  ciphers: "AECDH-AES256-SHA@SECLEVEL=0",
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2",
  ecdhCurve: "P-384",
} as const;

/** Milliseconds of silence after which the operating system looks whether the peer is still there. */
const KEEP_ALIVE_DELAY = 60_000;

/** Options of the TCP sockets of both sides. */
export const TCP = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY } as const;

/** The first byte of a TLS handshake record; a plain Broker stream starts with the length of a small frame, 0. */
export const TLS_FIRST_BYTE = 0x16;

/** Options of the TLS side of a listener; undefined for plain TCP. */
export function serverOptions(tls: TlsOption): TlsOptions | undefined {
  if (tls === "off") return undefined;
  if (typeof tls === "string") return ANONYMOUS;
  return { ...identity(tls), minVersion: "TLSv1.2", requestCert: true, rejectUnauthorized: true };
}

/** Begins to connect. Errors are reported by the socket. */
export function dial(address: Address, tls: TlsOption): Socket {
  if (tls === "off") return connectTcp({ ...address, ...TCP });
  const socket = connectTls({ ...address, ...TCP, ...clientOptions(tls) });
  // Options of TCP do not reach the socket below in every version of Node.
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_DELAY);
  return socket;
}

function clientOptions(tls: Exclude<TlsOption, "off">): ConnectionOptions {
  // Without certificates there is nothing to verify.
  if (typeof tls === "string") return { ...ANONYMOUS, rejectUnauthorized: false };
  const unchecked = tls.checkHost === false ? { checkServerIdentity: () => undefined } : {};
  return { ...identity(tls), minVersion: "TLSv1.2", ...unchecked };
}

function identity({ cert, key, ca, passphrase }: MutualTls) {
  return { cert, key, ca, ...(passphrase === undefined ? {} : { passphrase }) };
}

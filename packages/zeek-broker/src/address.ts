import type { Socket } from "node:net";

/** Where a TCP socket is or listens: a host name or IP address (IPv6 without brackets) and a port, 0 for any free one. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** "host:port" for logs; IPv6 addresses in brackets. */
export function formatAddress(address: Address): string {
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** The other side of an accepted socket, for logs. */
export function formatRemote(socket: Socket): string {
  return formatAddress({ host: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 });
}

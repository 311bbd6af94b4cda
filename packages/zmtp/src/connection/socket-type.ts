/** The socket types of this package. */
export type SocketType = "REP" | "REQ" | "XPUB" | "PUB" | "SUB";

/** Which peers each may talk to (the patterns' RFCs 28 and 29; ROUTER, DEALER and XSUB are other programs'). */
const PEERS: Readonly<Record<SocketType, readonly string[]>> = {
  REP: ["REQ", "DEALER"],
  REQ: ["REP", "ROUTER"],
  XPUB: ["SUB", "XSUB"],
  PUB: ["SUB", "XSUB"],
  SUB: ["PUB", "XPUB"],
};

export function areCompatible(own: SocketType, peer: string): boolean {
  return PEERS[own].includes(peer);
}

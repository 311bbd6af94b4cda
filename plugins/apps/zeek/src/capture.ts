/** Traffic for a real Zeek to look at, in tests and in the demo. */

const ETHERNET = 1;
const SNAP_LENGTH = 65_535;
const TCP = 6;
const UDP = 17;
const SYN = 0x02;
const ACK = 0x10;
const SERVER_PORT = 443;
const FIRST_CLIENT_PORT = 40_000;
const NAME_SERVER = "192.0.2.53";

/** One connection over IPv4. */
export interface CapturedConnection {
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly source: string;
  readonly destination: string;
  /** The name by which the destination was looked up. */
  readonly host?: string | undefined;
}

/** A packet: its time in milliseconds since 1970, and its bytes from Ethernet on. */
interface Packet {
  readonly time: number;
  readonly bytes: Buffer;
}

/** A pcap file: for each connection the look-up of its host, if it has one, and a TCP handshake. Checksums are left out. */
export function capture(connections: readonly CapturedConnection[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(SNAP_LENGTH, 16);
  header.writeUInt32LE(ETHERNET, 20);
  const packets = connections.flatMap((connection, index) => packetsOf(connection, FIRST_CLIENT_PORT + index));
  return Buffer.concat([header, ...packets.map(record)]);
}

function packetsOf({ time, source, destination, host }: CapturedConnection, clientPort: number): Packet[] {
  const start = Date.parse(time);
  const packet = (delay: number, from: string, to: string, protocol: number, payload: Buffer): Packet => ({
    time: start + delay,
    bytes: ethernet(ipv4(from, to, protocol, payload)),
  });
  const lookup = host === undefined ? [] : [packet(0, source, NAME_SERVER, UDP, udp(clientPort, 53, question(host)))];
  return [
    ...lookup,
    packet(10, source, destination, TCP, tcp(clientPort, SERVER_PORT, 1, 0, SYN)),
    packet(20, destination, source, TCP, tcp(SERVER_PORT, clientPort, 1, 2, SYN | ACK)),
    packet(30, source, destination, TCP, tcp(clientPort, SERVER_PORT, 2, 2, ACK)),
  ];
}

function record({ time, bytes }: Packet): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(Math.floor(time / 1_000), 0);
  header.writeUInt32LE((time % 1_000) * 1_000, 4);
  header.writeUInt32LE(bytes.length, 8);
  header.writeUInt32LE(bytes.length, 12);
  return Buffer.concat([header, bytes]);
}

function ethernet(payload: Buffer): Buffer {
  const header = Buffer.alloc(14);
  header.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
  return Buffer.concat([header, payload]);
}

/** RFC 791 §3.1. */
function ipv4(from: string, to: string, protocol: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(header.length + payload.length, 2);
  header[8] = 64;
  header[9] = protocol;
  header.set(from.split(".").map(Number), 12);
  header.set(to.split(".").map(Number), 16);
  return Buffer.concat([header, payload]);
}

function udp(from: number, to: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(from, 0);
  header.writeUInt16BE(to, 2);
  header.writeUInt16BE(header.length + payload.length, 4);
  return Buffer.concat([header, payload]);
}

/** RFC 9293 §3.1, without data. */
function tcp(from: number, to: number, sequence: number, acknowledged: number, flags: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(from, 0);
  header.writeUInt16BE(to, 2);
  header.writeUInt32BE(sequence, 4);
  header.writeUInt32BE(acknowledged, 8);
  header[12] = 0x50;
  header[13] = flags;
  header.writeUInt16BE(0xffff, 14);
  return header;
}

/** RFC 1035 §4.1: one question for an address. */
function question(host: string): Buffer {
  const header = Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const labels = host.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

/** Never of use to who gets a sighting, and long. */
const LEFT_OUT = new Set(["payload", "payload_printable", "packet", "packet_info", "stream", "metadata", "flow"]);

/**
 * An event for `x_threatbus_sighting_context`, within so many bytes of JSON: without packets, and where it is still too
 * long, without its longest members. What was left out is named in `x_left_out`.
 */
export function boundedContext(event: Readonly<Record<string, unknown>>, maxBytes: number): Record<string, unknown> {
  const members = Object.entries(event)
    .filter(([name]) => !LEFT_OUT.has(name))
    .map(([name, value]) => ({ name, value, bytes: Buffer.byteLength(JSON.stringify(value) ?? "") + name.length + 4 }));
  let size = members.reduce((sum, { bytes }) => sum + bytes, 2);
  const leftOut = new Set<string>();
  for (const member of [...members].sort((a, b) => b.bytes - a.bytes)) {
    if (size <= maxBytes) break;
    leftOut.add(member.name);
    size -= member.bytes;
  }
  const kept = members.filter(({ name }) => !leftOut.has(name)).map(({ name, value }) => [name, value]);
  return { ...Object.fromEntries(kept), ...(leftOut.size === 0 ? {} : { x_left_out: [...leftOut].slice(0, 20) }) };
}

/**
 * A 53-bit hash of a text, which SQLite stores in at most eight bytes and JavaScript holds exactly. Two multiplicative
 * hashes over the UTF-16 units (FNV-1a's offset and prime, and Knuth's 2654435761), mixed at the end. Whoever looks
 * something up by it compares the text as well.
 */
export function hashOf(text: string): number {
  let high = 0x811c9dc5;
  let low = 0x9e3779b9;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 2654435761);
  }
  high = Math.imul(high ^ (low >>> 15), 0x85ebca6b);
  low = Math.imul(low ^ (high >>> 13), 0xc2b2ae35);
  return ((high ^ (high >>> 16)) >>> 11) * 0x1_0000_0000 + ((low ^ (low >>> 16)) >>> 0);
}

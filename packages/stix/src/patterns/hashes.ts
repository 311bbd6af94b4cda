/** Values of hash algorithms: in patterns (stix.md 3.3) and in external references (1.8). */

function hexOfLength(length: number): RegExp {
  return new RegExp(`^[0-9a-fA-F]{${length}}$`);
}

const SSDEEP = /^[a-zA-Z0-9/+:.]{1,128}$/;

/** What values look like, by algorithm name in upper case without hyphens. */
const IN_PATTERNS: ReadonlyMap<string, RegExp> = new Map([
  ["MD5", hexOfLength(32)],
  // the reference looks at the beginning only
  ["MD6", /^[0-9a-fA-F]{32}/],
  ["RIPEMD160", hexOfLength(40)],
  ["SHA1", hexOfLength(40)],
  ["SHA224", hexOfLength(56)],
  ["SHA256", hexOfLength(64)],
  ["SHA384", hexOfLength(96)],
  ["SHA512", hexOfLength(128)],
  ["SHA3224", hexOfLength(56)],
  ["SHA3256", hexOfLength(64)],
  ["SHA3384", hexOfLength(96)],
  ["SHA3512", hexOfLength(128)],
  ["SSDEEP", SSDEEP],
  ["WHIRLPOOL", hexOfLength(128)],
]);

/** The vocabulary hash-algorithm-ov of STIX 2.1 section 10.8: STIX name and form of the value, by folded name. */
const IN_OBJECTS: ReadonlyMap<string, { readonly name: string; readonly form: RegExp }> = new Map([
  ["MD5", { name: "MD5", form: hexOfLength(32) }],
  ["SHA1", { name: "SHA-1", form: hexOfLength(40) }],
  ["SHA256", { name: "SHA-256", form: hexOfLength(64) }],
  ["SHA512", { name: "SHA-512", form: hexOfLength(128) }],
  ["SHA3256", { name: "SHA3-256", form: hexOfLength(64) }],
  ["SHA3512", { name: "SHA3-512", form: hexOfLength(128) }],
  ["SSDEEP", { name: "SSDEEP", form: SSDEEP }],
  ["TLSH", { name: "TLSH", form: hexOfLength(70) }],
]);

/** Upper case, without hyphens and quotes. */
function foldName(name: string): string {
  return name.toUpperCase().replace(/[-']/g, "");
}

/** May the value stand in a pattern for this algorithm? Unknown algorithms take any. One line feed at the end passes. */
export function isPatternHash(algorithm: string, value: string): boolean {
  const form = IN_PATTERNS.get(foldName(algorithm));
  return form === undefined || form.test(value.endsWith("\n") ? value.slice(0, -1) : value);
}

/** The algorithm that a name in a `hashes` member means. */
export function hashAlgorithm(name: string): { readonly name: string; readonly form: RegExp } | undefined {
  return IN_OBJECTS.get(foldName(name));
}

import { type ComparisonExpression, type ObservationExpression, parsePattern, pointIoc } from "@threatbus/stix";

/** OpenCTI's main observable type of a STIX object type. */
const TYPES: Readonly<Record<string, string>> = {
  "ipv4-addr": "IPv4-Addr",
  "ipv6-addr": "IPv6-Addr",
  "domain-name": "Domain-Name",
  url: "Url",
  "email-addr": "Email-Addr",
  file: "StixFile",
  "mac-addr": "Mac-Addr",
  "autonomous-system": "Autonomous-System",
  "x509-certificate": "X509-Certificate",
  mutex: "Mutex",
  "windows-registry-key": "Windows-Registry-Key",
  "user-account": "User-Account",
  "network-traffic": "Network-Traffic",
};
const UNKNOWN = "Unknown";

/** The main observable type of an indicator: that of the one object type in its pattern; `Unknown` for several or others. */
export function mainObservableType(pattern: string, patternType: string): string {
  if (patternType !== "stix") return UNKNOWN;
  const point = pointIoc(pattern);
  if (point !== null) return TYPES[point.objectPath.slice(0, point.objectPath.indexOf(":"))] ?? UNKNOWN;
  const parsed = parsePattern(pattern);
  if (!parsed.ok) return UNKNOWN;
  const found = new Set(objectTypes(parsed.value));
  const [only] = found;
  return found.size === 1 && only !== undefined ? (TYPES[only] ?? UNKNOWN) : UNKNOWN;
}

function objectTypes(expression: ObservationExpression | ComparisonExpression): string[] {
  switch (expression.kind) {
    case "observation":
      return objectTypes(expression.comparison);
    case "observation-group":
    case "comparison-group":
      return objectTypes(expression.inner);
    case "observation-chain":
    case "comparison-chain":
      return expression.operands.flatMap(objectTypes);
    case "comparison":
    case "exists":
      return [expression.path.type];
  }
}

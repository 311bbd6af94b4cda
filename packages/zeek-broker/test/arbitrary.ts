import fc from "fast-check";
import { type PortProtocol, Value } from "../src/index.ts";

const signed = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const protocol = fc.constantFrom<PortProtocol>("unknown", "tcp", "udp", "icmp");
const subnet = fc.oneof(
  fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
  fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
);

/** Values of every type that both encodings have, three levels deep. */
export const { value: anyValue } = fc.letrec<{ value: Value; scalar: Value }>((tie) => ({
  scalar: fc.oneof(
    fc.constant(Value.none),
    fc.boolean().map(Value.boolean),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(Value.count),
    signed.map(Value.integer),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(Value.real),
    fc.string({ unit: "grapheme" }).map(Value.string),
    fc.oneof(fc.ipV4(), fc.ipV6()).map(Value.address),
    subnet.map(([host, bits]) => Value.subnet(`${host}/${bits}`)),
    fc.tuple(fc.integer({ min: 0, max: 65_535 }), protocol).map(([number, kind]) => Value.port(number, kind)),
    signed.map(Value.timestamp),
    signed.map(Value.timespan),
    fc.string().map(Value.enum),
  ),
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    tie("scalar"),
    fc.array(tie("value"), { maxLength: 5 }).map((members) => Value.vector(...members)),
    fc.array(tie("value"), { maxLength: 5 }).map((members) => Value.set(...members)),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 5 }).map((entries) => Value.table(...entries)),
  ),
}));

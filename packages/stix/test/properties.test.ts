import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeSnapshotEnvelope,
  decodeSnapshotRequest,
  encodeStix,
  formatPointIoc,
  joinObservations,
  parsePattern,
  parseStix,
  parseStixObject,
  pointIoc,
  type StixObject,
  validatePattern,
} from "../src/index.ts";
import { isUsualPoint } from "../src/patterns/point.ts";
import { INDICATOR, SIGHTING } from "./support.ts";

/** Text that is made of pieces of patterns, so that much of it nearly parses. */
const patternLike = fc
  .array(
    fc.constantFrom(
      ..."[ ] ( ) : . , * = == != <> < <= > >= ' \\ - + / // /* */ \n".split(" "),
      ...["a", "ipv4-addr", "value", "'x'", "'a-b'", "5", "-5", ".5", "h'ff'", "b'YQ=='", "t'2020-01-01T00:00:00Z'"],
      ...["true", "AND", "OR", "NOT", "IN", "EXISTS", "START", "STOP", "WITHIN", "SECONDS", "REPEATS", "TIMES"],
      ...["FOLLOWEDBY", "LIKE", "hashes", "MD5", " ", "\u00a0", "ü", "[a:b = 'x']", "a:b"],
    ),
    { maxLength: 20 },
  )
  .map((pieces) => pieces.join(""));

test("no bytes make a parser throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (array) => {
      const bytes = Buffer.from(array);
      for (const decode of [parseStix, decodeSnapshotRequest, decodeSnapshotEnvelope])
        assert.equal(decode(bytes).ok, false);
    }),
  );
});

test("no JSON value makes a parser throw, in the place of any property", () => {
  const names = ["x_custom", "labels", "granular_markings", "extensions", "external_references", "custom_properties"];
  const name = fc.constantFrom(...Object.keys(INDICATOR), ...Object.keys(SIGHTING), ...names, "confidence", "revoked");
  fc.assert(
    fc.property(fc.constantFrom(INDICATOR, SIGHTING), name, fc.jsonValue(), (object, property, value) => {
      const input = { ...object, [property]: value };
      const fromBytes = parseStix(Buffer.from(JSON.stringify(input)));
      assert.equal(parseStixObject(input).ok, fromBytes.ok);
      if (!fromBytes.ok) return;
      const again = parseStix(fromBytes.value.bytes);
      assert.ok(again.ok && !again.value.normalised);
      assert.deepEqual(again.value.object, fromBytes.value.object);
    }),
    { numRuns: 2000 },
  );
});

test("an accepted object that is encoded parses to the same", () => {
  const custom = fc.dictionary(
    fc.stringMatching(/^x_[a-z0-9]{1,8}$/),
    fc.jsonValue().filter((v) => v !== null && !(Array.isArray(v) && v.length === 0)),
  );
  fc.assert(
    fc.property(custom, fc.string(), fc.integer(), (members, name, confidence) => {
      const object = { ...INDICATOR, name, confidence, ...members } as StixObject;
      const parsed = parseStix(encodeStix(object));
      assert.ok(parsed.ok && !parsed.value.normalised);
      assert.deepEqual(encodeStix(parsed.value.object), encodeStix(object));
      assert.deepEqual(JSON.parse(JSON.stringify(parsed.value.object)), JSON.parse(JSON.stringify(object)));
    }),
  );
});

const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,6}$/).filter((text) => text !== "true" && text !== "false");
const quoted = fc.string().map((text) => `'${text.replace(/['\\]/g, "\\$&")}'`);
const step = fc.oneof(
  name.map((text) => `.${text}`),
  quoted.map((text) => `.${text}`),
  fc.nat().map((index) => `[${index}]`),
  fc.constant("[*]"),
);
const path = fc
  .tuple(
    fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/).filter((t) => t !== "true" && t !== "false"),
    fc.oneof(name, quoted),
    fc.array(step, { maxLength: 3 }),
  )
  .map(([type, first, rest]) => `${type}:${first}${rest.join("")}`)
  .filter((text) => !text.includes("hashes"));
const literal = fc.oneof(
  quoted,
  fc.integer().map(String),
  fc.constantFrom("true", ".5", "-1.25", "h'00ff'", "b'YWI='", "t'2020-01-01T00:00:00.5Z'"),
);
const test1 = fc.oneof(
  fc.tuple(path, fc.constantFrom("=", "==", "!=", "<>", "NOT ="), literal).map((parts) => parts.join(" ")),
  fc
    .tuple(path, fc.constantFrom("LIKE", "MATCHES", "NOT ISSUBSET", "ISSUPERSET"), quoted)
    .map((parts) => parts.join(" ")),
  fc.tuple(path, fc.array(literal, { maxLength: 3 })).map(([left, members]) => `${left} IN (${members.join(", ")})`),
  path.map((text) => `EXISTS ${text}`),
);
const { comparison } = fc.letrec<{ comparison: string }>((tie) => ({
  comparison: fc.oneof(
    { maxDepth: 3 },
    test1,
    fc.tuple(tie("comparison"), fc.constantFrom("AND", "OR"), tie("comparison")).map((parts) => parts.join(" ")),
    tie("comparison").map((inner) => `(${inner})`),
  ),
}));
const qualifiers = fc
  .subarray(["WITHIN 5 SECONDS", "REPEATS 2 TIMES", "START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'"])
  .map((parts) => parts.map((part) => ` ${part}`).join(""));
const { observation } = fc.letrec<{ observation: string }>((tie) => ({
  observation: fc.oneof(
    { maxDepth: 3 },
    fc.tuple(comparison, qualifiers).map(([inner, rest]) => `[${inner}]${rest}`),
    fc
      .tuple(tie("observation"), fc.constantFrom("AND", "OR", "FOLLOWEDBY"), tie("observation"))
      .map((p) => p.join(" ")),
    fc.tuple(tie("observation"), qualifiers).map(([inner, rest]) => `(${inner})${rest}`),
  ),
}));

test("a pattern made by the grammar is valid, and so is one that joins several", () => {
  fc.assert(
    fc.property(fc.array(observation, { minLength: 1, maxLength: 3 }), (patterns) => {
      for (const pattern of patterns) {
        const result = validatePattern(pattern);
        assert.ok(result.ok, `${pattern} ${JSON.stringify(result)}`);
      }
      assert.ok(validatePattern(joinObservations(patterns)).ok);
    }),
    { numRuns: 500 },
  );
});

test("errors of patterns have positions within them", () => {
  fc.assert(
    fc.property(patternLike, fc.constantFrom("2.0" as const, "2.1" as const), (pattern, version) => {
      for (const parse of [parsePattern, validatePattern]) {
        const result = parse(pattern, { version });
        if (result.ok) continue;
        assert.ok(result.error.position >= 0 && result.error.position <= pattern.length);
      }
      pointIoc(pattern);
    }),
    { numRuns: 5000 },
  );
});

test("a point IoC that is written reads as the same", () => {
  fc.assert(
    fc.property(path, fc.string(), (objectPath, value) => {
      const point = pointIoc(formatPointIoc({ objectPath, value }));
      assert.ok(point !== null);
      assert.equal(point.value, value);
      assert.deepEqual(pointIoc(formatPointIoc(point)), point);
    }),
  );
  assert.equal(formatPointIoc({ objectPath: "file:hashes.SHA-256", value: "x" }), "[file:hashes.'SHA-256' = 'x']");
  assert.equal(
    joinObservations(["[a:b = 'x'] OR [a:b = 'y']", "[c:d = 'z']"]),
    "([a:b = 'x'] OR [a:b = 'y']) AND [c:d = 'z']",
  );
  assert.equal(joinObservations(["[a:b = 'x'] // one", "[c:d = '//']"]), "[a:b = 'x'] // one\n AND [c:d = '//']");
});

test("what passes as a usual point without the parser, the parser accepts and reads the same", () => {
  const usual = fc.oneof(
    patternLike,
    fc
      .tuple(fc.stringMatching(/^[a-z-]{1,6}$/), fc.stringMatching(/^[a-z_0-9]{1,6}$/), fc.string())
      .map(([type, property, value]) => `[${type}:${property} = '${value}']`),
    fc.constantFrom(
      "[true:a = 'x']",
      "[a:true = 'x']",
      "[t:b = 'x']",
      "[a:b = 'x\n']",
      "[a:hashes = 'x']",
      "[a-:b = '']",
    ),
  );
  fc.assert(
    fc.property(usual, (pattern) => {
      if (!isUsualPoint(pattern)) return;
      assert.ok(validatePattern(pattern).ok && validatePattern(pattern, { version: "2.0" }).ok, pattern);
      // a comment after it changes nothing but the way it is recognised
      assert.deepEqual(pointIoc(pattern), pointIoc(`${pattern}/**/`), pattern);
    }),
    { numRuns: 3000 },
  );
});

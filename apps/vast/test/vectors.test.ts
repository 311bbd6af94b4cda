/** The mappings against those of vast-threatbus 2022.5.16. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseStix } from "@threatbus/stix";
import { escapeForVast, iocOf, referenceTo, vastQuery } from "../src/ioc.ts";
import {
  type IndicatorText,
  liveMatch,
  type Match,
  type Reading,
  retroMatch,
  sightingOf,
  vastFinding,
} from "../src/matches.ts";

interface Vector {
  readonly name: string;
  readonly kind: "indicator" | "escape" | "query-result" | "matcher-result";
  readonly input: unknown;
  readonly expected: unknown;
  readonly better?: unknown;
}

interface SightingVector {
  readonly result: "v21.Sighting" | "null" | "error";
  readonly serialized?: string;
  readonly volatile?: readonly string[];
}

const file = new URL("./vectors/vast-mapping.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as readonly Vector[];

function check(kind: Vector["kind"], run: (vector: Vector) => void): void {
  test(`${kind} vectors`, async (t) => {
    const own = vectors.filter((vector) => vector.kind === kind);
    assert.ok(own.length > 0);
    for (const vector of own) await t.test(vector.name, () => run(vector));
  });
}

/** `better` counts where it is there. */
function expected(vector: Vector): object {
  return { ...(vector.expected as object), ...(vector.better as object | undefined) };
}

check("indicator", (vector) => {
  const { type, id, pattern } = vector.input as { type: string; id: string; pattern?: string };
  const ioc = type === "indicator" ? iocOf(pattern) : undefined;
  const actual =
    ioc === undefined
      ? { matcher_ioc: null, query: null }
      : {
          // The reference escapes the matcher's value too, which is no query text: we give it as it is.
          matcher_ioc: { value: escapeForVast(ioc.value), type: ioc.type, reference: referenceTo(id) },
          query: vastQuery(ioc),
        };
  assert.deepEqual(actual, expected(vector));
});

check("escape", ({ input, expected: text }) => {
  assert.equal(escapeForVast(String(input)), text);
});

check("query-result", (vector) => {
  const { result, indicator } = vector.input as { result: unknown; indicator: object };
  const parsed = parseStix(Buffer.from(JSON.stringify(indicator)));
  const reading: Reading<Match> =
    parsed.ok && parsed.value.type === "indicator"
      ? retroMatch(result, parsed.value as IndicatorText)
      : { ok: false, reason: "no indicator" };
  compare(reading, vector);
});

check("matcher-result", (vector) => {
  const found = vastFinding(vector.input);
  compare(found.ok ? liveMatch(found.value.finding, found.value.event) : found, vector);
});

/** An error of the reference, its failure to write a sighting included, is no sighting here. */
function compare(reading: Reading<Match>, vector: Vector): void {
  const { serialized, volatile = [] } = expected(vector) as SightingVector;
  const sighting = reading.ok ? sightingOf(reading.value) : reading;
  if (serialized === undefined) {
    assert.equal(sighting.ok, false);
    return;
  }
  assert.ok(sighting.ok, JSON.stringify(sighting));
  // JSON has no NaN; it is null here.
  const wanted = JSON.parse(serialized.replaceAll(/\bNaN\b/g, "null")) as Record<string, unknown>;
  const text = sighting.value.bytes.toString("utf8");
  const actual = JSON.parse(text) as Record<string, unknown>;
  assert.equal(actual.created, actual.modified);
  for (const name of volatile) wanted[name] = actual[name];
  assert.deepEqual(actual, wanted);
  for (const digits of serialized.match(/\b\d{17,}\b/g) ?? []) assert.ok(text.includes(digits), "all digits are kept");
}

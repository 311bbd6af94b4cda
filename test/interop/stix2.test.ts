/** Everything that the bus emits has to parse in the reference implementation of STIX. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { startBus } from "./support/bus.ts";
import { start } from "./support/process.ts";
import { pythonPrograms, scripts } from "./support/python.ts";
import { connectedPublisher, SubscribedApp } from "./support/zmq.ts";

/** The members that this test reads of a vector of stix-objects.json. */
interface Vector {
  readonly name: string;
  readonly input: string;
  readonly expected: { readonly bus_accepts: boolean };
  /** What counts instead of `expected`, where the reference is wrong. */
  readonly better?: { readonly bus_accepts?: boolean; readonly serialized?: string };
}

interface Verdict {
  readonly ok: boolean;
  readonly error: string;
}

const vectorFile = new URL("../../packages/stix/test/vectors/stix-objects.json", import.meta.url);

function accepted(vector: Vector): boolean {
  return vector.better?.bus_accepts ?? vector.expected.bus_accepts;
}

/**
 * Granular markings whose selectors lead to values that are there and that the reference cannot find:
 * such objects are valid, the bus carries them, and the reference refuses them as it refused the original.
 */
function beyondTheReference(vector: Vector): boolean {
  return accepted(vector) && !vector.expected.bus_accepts && vector.better?.serialized === undefined;
}

test("python-stix2 parses every object that the bus accepts and passes on", async (t) => {
  const programs = await pythonPrograms(t, "stix");
  if (programs === undefined) return;
  const vectors = JSON.parse(await readFile(vectorFile, "utf8")) as Vector[];
  const bus = await startBus(t);
  const app = await SubscribedApp.subscribe(t, bus.ports, "stix2");
  const publisher = await connectedPublisher(t, bus.ports);
  const sent = vectors.filter(accepted);
  assert.ok(sent.length > 150, "the vectors are there");
  // Refused objects go in between: nothing of them may come out.
  for (const vector of vectors) await publisher.send(`stix2/indicator ${vector.input}`);

  const reference = start(t, `${programs}/python`, [`${scripts}/parse_stix.py`]);
  const refused: string[] = [];
  for (const [i, vector] of sent.entries()) {
    const { payload } = await app.next().catch((cause) => {
      throw new Error(`nothing came out for "${vector.name}" or one before it`, { cause });
    });
    reference.write(`${JSON.stringify(payload)}\n`);
    const [line] = await reference.line(/^\{.*\}$/, { from: i });
    const verdict = JSON.parse(line) as Verdict;
    if (!verdict.ok) refused.push(`${vector.name}: ${verdict.error}`);
  }

  const known = sent.filter(beyondTheReference).map((vector) => vector.name);
  assert.deepEqual(
    refused.map((line) => line.slice(0, line.indexOf(":"))),
    known,
    refused.join("\n"),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStix, type StixObject, TLP_ORDER, tlpOf } from "../src/index.ts";
import { INDICATOR } from "./support.ts";

const GREEN_1 = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da";
const WHITE_1 = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9";
const STRICT_2 = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003";
const OTHER = "marking-definition--11111111-1111-4111-8111-111111111111";

function levelOf(...object_marking_refs: string[]): string | undefined {
  return tlpOf({ ...INDICATOR, object_marking_refs } as StixObject);
}

test("the strictest level of both TLP versions counts", () => {
  assert.equal(tlpOf(INDICATOR), undefined);
  assert.equal(levelOf(OTHER), undefined);
  assert.equal(levelOf(WHITE_1), "clear");
  assert.equal(levelOf(GREEN_1, OTHER, WHITE_1), "green");
  assert.equal(
    levelOf(GREEN_1, STRICT_2.toUpperCase().replace("MARKING-DEFINITION", "marking-definition")),
    "amber+strict",
  );
  assert.deepEqual(TLP_ORDER, ["clear", "green", "amber", "amber+strict", "red"]);
});

test("a marking counts in whatever form its identifier is written", () => {
  const red = "5e57c739-391a-4eb3-b6be-7d15ca92d5ed";
  for (const form of [red.toUpperCase(), `{${red}}`, `urn:uuid:${red}`, red.replaceAll("-", ""), `-${red}-`]) {
    const object_marking_refs = [`marking-definition--${form}`];
    const parsed = parseStix(Buffer.from(JSON.stringify({ ...INDICATOR, object_marking_refs })));
    assert.ok(parsed.ok, form);
    assert.equal(tlpOf(parsed.value.object), "red", form);
  }
});

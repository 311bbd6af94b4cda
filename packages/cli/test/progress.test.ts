import assert from "node:assert/strict";
import { test } from "node:test";
import { Progress } from "../src/progress.ts";

function stream(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, written, write: (text: string) => written.push(text) };
}

test("on a terminal the bar shows the share of the file and the objects, at most ten times a second", () => {
  const terminal = stream(true);
  let time = 0;
  const progress = new Progress({ total: 200, stream: terminal, now: () => time });
  progress.update(0, 0);
  time += 50;
  progress.update(50, 1);
  time += 50;
  progress.update(100, 7);
  progress.clear();
  time += 100;
  progress.update(500, 9);
  assert.deepEqual(terminal.written, [
    `\r\u001b[K[${".".repeat(30)}] 0 %  0 objects`,
    `\r\u001b[K[${"#".repeat(15)}${".".repeat(15)}] 50 %  7 objects`,
    "\r\u001b[K",
    `\r\u001b[K[${"#".repeat(30)}] 100 %  9 objects`,
  ]);
});

test("without a known size there is no bar, and without a terminal nothing at all", () => {
  const terminal = stream(true);
  new Progress({ total: undefined, stream: terminal }).update(10, 3);
  assert.deepEqual(terminal.written, ["\r\u001b[K3 objects"]);
  const pipe = stream(false);
  const progress = new Progress({ total: 10, stream: pipe });
  progress.update(10, 3);
  progress.clear();
  assert.deepEqual(pipe.written, []);
});

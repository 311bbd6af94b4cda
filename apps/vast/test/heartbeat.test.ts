import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { nodeLost } from "../src/heartbeat.ts";
import type { StreamEnd, StreamOptions } from "../src/node.ts";

const SILENCE = 10;
const heartbeat = { args: ["heartbeat"] };
const { signal } = new AbortController();

/** A node whose program prints `beats` lines and then hangs, as one does whose node was killed. */
function hangingNode(beats: number, answers: readonly boolean[]) {
  const left = [...answers];
  return {
    streams: 0,
    asked: 0,
    async stream(_: unknown, { signal, onLine }: StreamOptions): Promise<StreamEnd> {
      this.streams += 1;
      for (let beat = 0; beat < beats; beat += 1) await onLine("beat");
      await once(signal, "abort");
      throw signal.reason;
    },
    doubt: () => undefined,
    check(): Promise<boolean> {
      this.asked += 1;
      return Promise.resolve(left.shift() ?? false);
    },
  };
}

test("a node whose heart has stopped is lost, whether or not another one answers", async () => {
  const node = hangingNode(3, [true]);
  await nodeLost({ node, heartbeat, silence: SILENCE }, signal);
  assert.deepEqual([node.streams, node.asked], [1, 0]);
});

test("a node that was killed before its heart was heard is lost when it does not answer", async () => {
  const node = hangingNode(0, [true, true, false]);
  await nodeLost({ node, heartbeat, silence: SILENCE }, signal);
  assert.deepEqual([node.streams, node.asked], [3, 3]);
});

test("watching ends with the signal", async () => {
  const end = new AbortController();
  const watching = nodeLost({ node: hangingNode(0, []), heartbeat, silence: 60_000 }, end.signal);
  end.abort(new Error("stopped"));
  await assert.rejects(watching, /stopped/);
});

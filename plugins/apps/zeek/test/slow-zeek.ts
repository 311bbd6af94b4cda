/**
 * A Zeek in a process of its own that takes its time: `slow-zeek.ts PORT COUNT RATE`. Reads RATE indicators per second
 * until its parent says anything, and then as fast as it can. Checks that they come in order and without gaps, and tells
 * its parent what it found after COUNT.
 */
import { FakeZeek } from "../src/fake-zeek.ts";

/** Indicators between two rests. */
const STEP = 1_000;

const [port = 0, count = 0, rate = 0] = process.argv.slice(2).map(Number);
const rest = (STEP / rate) * 1_000;
let isSlow = true;
let received = 0;
let outOfOrder = 0;

const zeek: FakeZeek = new FakeZeek({
  keep: false,
  onIntel: ({ id }) => {
    // Numbered from 1, in the last group of the id.
    received += 1;
    if (Number.parseInt(id.slice(-12), 16) !== received) outOfOrder += 1;
    if (received === count) process.send?.({ received, outOfOrder });
    if (!isSlow || received % STEP !== 0) return;
    zeek.bus?.pause();
    setTimeout(() => zeek.bus?.resume(), rest);
  },
});
zeek.connect({ host: "127.0.0.1", port });
process.once("message", () => {
  isSlow = false;
});
process.once("disconnect", () => void zeek.close());

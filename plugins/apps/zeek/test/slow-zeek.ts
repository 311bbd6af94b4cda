/**
 * A Zeek in a process of its own that takes its time: `slow-zeek.ts PORT COUNT RATE`. Reads RATE indicators per second,
 * checks that they come in order and without gaps, and tells its parent what it found after COUNT.
 */
import { FakeZeek } from "../src/fake-zeek.ts";

/** Indicators between two rests. */
const STEP = 1_000;

const [port = 0, count = 0, rate = 0] = process.argv.slice(2).map(Number);
let received = 0;
let outOfOrder = 0;
const began = performance.now();

const zeek: FakeZeek = new FakeZeek({
  keep: false,
  onIntel: ({ id }) => {
    // Numbered from 1, in the last group of the id.
    received += 1;
    if (Number.parseInt(id.slice(-12), 16) !== received) outOfOrder += 1;
    if (received === count) process.send?.({ received, outOfOrder });
    if (received % STEP === 0) rest();
  },
});
zeek.connect({ host: "127.0.0.1", port });
process.once("disconnect", () => void zeek.close());

/** Reads nothing until the rate allows it. */
function rest(): void {
  const ahead = (received / rate) * 1_000 - (performance.now() - began);
  if (ahead <= 0) return;
  zeek.bus?.pause();
  setTimeout(() => zeek.bus?.resume(), ahead);
}

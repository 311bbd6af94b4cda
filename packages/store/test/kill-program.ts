/**
 * The program that the kill test kills: appends without end and says which positions it was given and which are on disk.
 *
 *   node kill-program.ts PATH DURABILITY MAX_BYTES [ROUNDS=Infinity]
 *
 * Prints "given N" after an append and "durable N" when the disk has it; every line is written at once.
 */
import { writeSync } from "node:fs";
import { type Durability, Store } from "@threatbus/store";
import { indicator } from "./support.ts";

const [path = "", durability = "interval", maxBytes = "", rounds = "Infinity"] = process.argv.slice(2);
const store = await Store.open({ path, durability: durability as Durability, maxBytes: Number(maxBytes) });
const body = Buffer.alloc(440, 120);
const receipt = { topics: ["stix2/indicator"], filter: undefined, start: store.last };
const subscription = store.receipts.open({ plugin: "test", name: `${process.pid}`, ...receipt });

/** Writes at once; whoever reads may be slow. */
function say(text: string): void {
  for (let left = text; left !== ""; ) {
    try {
      left = left.slice(writeSync(1, left));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    }
  }
}

for (let number = 0; number < Number(rounds); number++) {
  const entries = Array.from({ length: 1 + (number % 50) }, (_, index) =>
    indicator(number * 50 + index, { bytes: body, id: `${process.pid}-${number}-${index}` }),
  );
  const { last } = await store.append(entries);
  say(`given ${last}\n`);
  if (durability === "always" && (await store.settled(last))) say(`durable ${last}\n`);
  store.receipts.mark({ subscription, position: last, handed: entries.length, lost: 0, at: Date.now() });
  if (number % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  if (durability === "interval" && number % 50 === 49) {
    await store.flush();
    say(`durable ${last}\n`);
  }
}
await store.close();

/**
 * The program that the kill test kills: appends without end and says which positions it was given and which are on disk.
 *
 *   node kill-program.ts PATH DURABILITY MAX_BYTES
 *
 * Prints "given N" after an append and "durable N" when the disk has it; every line is written at once.
 */
import { writeSync } from "node:fs";
import { type Durability, Store } from "@threatbus/store";
import { indicator } from "./support.ts";

const [path = "", durability = "interval", maxBytes = ""] = process.argv.slice(2);
const store = await Store.open({ path, durability: durability as Durability, maxBytes: Number(maxBytes) });
const body = Buffer.alloc(440, 120);

for (let number = 0; ; number++) {
  const entries = Array.from({ length: 1 + (number % 50) }, (_, index) =>
    indicator(number * 50 + index, { bytes: body, id: `${process.pid}-${number}-${index}` }),
  );
  const { last } = await store.append(entries);
  writeSync(1, `given ${last}\n`);
  if (durability === "always" && (await store.settled(last))) writeSync(1, `durable ${last}\n`);
  if (number % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  if (durability === "interval" && number % 50 === 49) {
    await store.flush();
    writeSync(1, `durable ${last}\n`);
  }
}

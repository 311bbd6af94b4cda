/**
 * The stand-in for Zeek as a process of its own, so that it can be killed: `zeek-program.ts PORT` peers with the bus and asks
 * for a day of history. It prints `intel OPERATION VALUE ID`; a line `connection VALUE` on standard input is traffic to that
 * domain, and prints `sighted ID`, or `unknown VALUE` where nothing matches, or `not sent` where the bus is not there.
 */
import { createInterface } from "node:readline";
import { FakeZeek } from "@threatbus/app-zeek/fake-zeek";

const zeek: FakeZeek = new FakeZeek({
  snapshot: 86_400,
  onIntel: ({ id, value, operation }) => console.log(`intel ${operation} ${value} ${id}`),
});
zeek.connect({ host: "127.0.0.1", port: Number(process.argv[2]) });
createInterface({ input: process.stdin }).on("line", (line) => {
  const value = /^connection (\S+)$/.exec(line)?.[1] ?? "";
  const id = zeek.intel.get(`DOMAIN ${value}`);
  if (id === undefined) console.log(`unknown ${value}`);
  else console.log(zeek.sight(id) ? `sighted ${id}` : "not sent");
});

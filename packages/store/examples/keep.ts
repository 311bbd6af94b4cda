import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseStix } from "@threatbus/stix";
import { Store } from "@threatbus/store";

const folder = join(tmpdir(), `example-${process.pid}`);
const store = await Store.open({ path: join(folder, "threatbus.db"), durability: "always", maxAge: 90 * 86_400_000 });
store.on("state", (state, error) => console.log(state, error?.code, error?.hint));

const message = parseStix(
  Buffer.from(`{
  "type": "indicator", "spec_version": "2.1", "id": "indicator--46b3f973-5c03-41fc-9efe-49598a267a35",
  "created": "2021-03-04T05:06:07.891Z", "modified": "2021-03-04T05:06:07.891Z", "valid_from": "2021-03-04T05:06:07Z",
  "pattern": "[ipv4-addr:value = '198.51.100.3']", "pattern_type": "stix", "pattern_version": "2.1"
}`),
);
if (message.ok) {
  const { bytes } = message.value;
  const entry = { id: "1", source: "misp", receivedAt: Date.now(), bytes, stix: message.value };
  const appended = await store.append([entry]);
  console.log(appended, await store.settled(appended.last));
}

// Has this value ever been distributed?
for (const { position, source, stixId } of await store.byValue("198.51.100.3")) console.log(position, source, stixId);
// Everything since a position, then whatever comes.
for await (const records of store.tail({ after: 0 }, AbortSignal.timeout(60_000))) {
  console.log(records.map(({ position }) => position));
  break;
}
// What a new subscriber has to know.
for await (const records of store.snapshot({ since: Date.now() - 3_600_000 }))
  console.log(records.length, "in the snapshot");

await store.close();
await rm(folder, { recursive: true });

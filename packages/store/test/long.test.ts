/**
 * Many messages with retention on, in a process of its own: the files stay within `maxBytes` all the time, memory does not
 * grow, positions follow one another, and the log is whole at the end. THREATBUS_LONG sets how many.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { checkLog, Store } from "@threatbus/store";
import type { LongReport } from "./long-program.ts";
import { folderOf } from "./support.ts";

const COUNT = Number(process.env.THREATBUS_LONG ?? 10_000_000);
const MAX_BYTES = 128 << 20;
const MOST_MEMORY = 512 << 20;
const PROGRAM = join(import.meta.dirname, "long-program.ts");

test(`${COUNT} messages with retention on`, { timeout: 3_600_000 }, async (t) => {
  const path = join(folderOf(t), "log.db");
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, path, `${COUNT}`, `${MAX_BYTES}`]);
  const report = JSON.parse(stdout) as LongReport;
  t.diagnostic(stdout.trim());
  assert.ok(report.mostBytes <= MAX_BYTES, `${report.mostBytes} bytes in both files`);
  assert.ok(report.lateMemory <= MOST_MEMORY, `${report.lateMemory} bytes of memory`);
  assert.equal(report.last, COUNT);
  assert.ok(report.first > COUNT / 4, "retention removed hardly anything");
  assert.equal(report.records, report.last - report.first + 1);
  assert.deepEqual(await checkLog(path), { ok: true, problems: [] });

  const store = await Store.open({ path, maxBytes: MAX_BYTES });
  t.after(() => store.close());
  assert.equal(store.state, "ok");
  let expected = report.first;
  for await (const records of store.records())
    for (const { position, messageId } of records) {
      // Not one assertion per record, which would take longer than all the rest.
      if (position !== expected || messageId !== `${expected - 1}`) assert.fail(`${position} at ${expected}`);
      expected += 1;
    }
  assert.equal(expected, COUNT + 1);
});

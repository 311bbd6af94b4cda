import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { notifySupervisor } from "../src/lifecycle/notify.ts";
import { directory } from "./config-fixtures.ts";
import { recordingLogger } from "./observe-fixtures.ts";

/** A stand-in for systemd-notify that writes down what it was told. */
const STUB = `#!/bin/sh
echo "$NOTIFY_SOCKET $*" >> "$(dirname "$0")/calls"
`;

function helper(t: Parameters<typeof directory>[0], text: string): string {
  const folder = directory(t, { "systemd-notify": text });
  chmodSync(join(folder, "systemd-notify"), 0o755);
  return folder;
}

test("systemd is told through NOTIFY_SOCKET", async (t) => {
  const folder = helper(t, STUB);
  const { logger, lines } = recordingLogger();
  const env = { PATH: `${folder}:/usr/bin:/bin`, NOTIFY_SOCKET: "@bus" };
  assert.equal(await notifySupervisor("READY=1", { env, logger }), true);
  assert.equal(await notifySupervisor("STOPPING=1", { env, logger }), true);
  assert.equal(readFileSync(join(folder, "calls"), "utf8"), "@bus READY=1\n@bus STOPPING=1\n");
  assert.deepEqual(lines, []);
});

test("without NOTIFY_SOCKET nothing is started", async (t) => {
  const folder = helper(t, STUB);
  const { logger } = recordingLogger();
  assert.equal(await notifySupervisor("READY=1", { env: { PATH: folder }, logger }), false);
  assert.equal(existsSync(join(folder, "calls")), false);
});

test("a helper that is missing, fails or hangs is a warning", async (t) => {
  const missing = directory(t);
  const failing = helper(t, "#!/bin/sh\nexit 3\n");
  const hanging = helper(t, "#!/bin/sh\nexec sleep 60\n");
  for (const [folder, pattern] of [
    [missing, /ENOENT/],
    [failing, /ended with code 3/],
    [hanging, /ended with SIGKILL/],
  ] as const) {
    const { logger, lines } = recordingLogger();
    const env = { PATH: folder === hanging ? `${folder}:/usr/bin:/bin` : folder, NOTIFY_SOCKET: "/x" };
    assert.equal(
      await notifySupervisor("READY=1", { env, logger, timeoutMs: folder === hanging ? 100 : 30_000 }),
      false,
    );
    assert.equal(lines.length, 1);
    assert.match(String(lines[0]?.fields.cause), pattern);
  }
});

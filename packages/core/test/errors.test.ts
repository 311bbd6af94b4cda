import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { ERRORS, type ErrorCode, listenError, ThreatBusError } from "../src/errors.ts";

test("the catalogue has sentences and sensible exit codes", () => {
  for (const [code, entry] of Object.entries(ERRORS)) {
    assert.match(code, /^TB_[A-Z_]+$/);
    assert.match(entry.summary, /^[A-Z].*\.$/, code);
    assert.match(entry.hint, /^[A-Z].*\.$/, code);
    assert.ok([1, 78].includes(entry.exitCode), code);
  }
});

test("an error carries what its code says, its cause, and a hint that can be more exact", () => {
  const cause = new Error("below");
  const error = new ThreatBusError("TB_CONFIG_INVALID", "two errors", { cause });
  assert.equal(error.message, "two errors");
  assert.equal(error.cause, cause);
  const { exitCode, retryable, hint } = ERRORS.TB_CONFIG_INVALID;
  assert.deepEqual([error.exitCode, error.retryable, error.hint], [exitCode, retryable, hint]);
  assert.equal(new ThreatBusError("TB_LOG_FILE", "x", { hint: "Do this." }).hint, "Do this.");
});

test("a port in use is one sentence that names address and setting", async (t) => {
  const first = createServer().listen(0, "127.0.0.1");
  t.after(() => first.close());
  await new Promise((resolve) => first.once("listening", resolve));
  const address = first.address();
  assert.ok(typeof address === "object" && address !== null);
  const second = createServer();
  const failure = new Promise<unknown>((resolve) => second.once("error", resolve));
  second.listen(address.port, "127.0.0.1");
  const error = listenError(await failure, { host: "127.0.0.1", port: address.port, setting: "plugins.apps.zmq.pub" });
  assert.equal(error?.code, "TB_PORT_IN_USE");
  assert.equal(error?.exitCode, 1);
  assert.equal(
    error?.message,
    `127.0.0.1 port ${address.port} (setting plugins.apps.zmq.pub) is in use by another program`,
  );
});

test("other failures of listening", () => {
  const codes: readonly (readonly [string, ErrorCode | undefined])[] = [
    ["EACCES", "TB_PORT_FORBIDDEN"],
    ["EADDRNOTAVAIL", "TB_ADDRESS_UNAVAILABLE"],
    ["EMFILE", undefined],
  ];
  for (const [code, expected] of codes) {
    const cause = Object.assign(new Error("listen"), { code });
    assert.equal(listenError(cause, { host: "h", port: 1, setting: "s" })?.code, expected);
  }
  assert.equal(listenError("text", { host: "h", port: 1, setting: "s" }), undefined);
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
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

test("every code of the catalogue is used by the sources", async () => {
  const root = join(import.meta.dirname, "../../..");
  const files = await Array.fromAsync(glob("{packages/*,plugins/*/*}/src/**/*.ts", { cwd: root }));
  // A table row defines a code; anything else that names it uses it.
  const text = files
    .map((file) => readFileSync(join(root, file), "utf8").replaceAll(/^ {2}TB_[A-Z_]+: \{$/gm, ""))
    .join();
  const unused = Object.keys(ERRORS).filter((code) => !text.includes(`"${code}"`));
  assert.deepEqual(unused, []);
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
  const settings = { host: "plugins.apps.zmq.host", port: "plugins.apps.zmq.pub" };
  const error = listenError(await failure, { host: "127.0.0.1", port: address.port, settings });
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
    ["EAFNOSUPPORT", "TB_ADDRESS_UNAVAILABLE"],
    ["ENOTFOUND", "TB_ADDRESS_UNAVAILABLE"],
    ["EAI_AGAIN", "TB_ADDRESS_UNAVAILABLE"],
    ["EMFILE", undefined],
  ];
  const target = { host: "h", port: 1, settings: { host: "its.host", port: "its.port" } };
  for (const [code, expected] of codes) {
    const error = listenError(Object.assign(new Error("listen"), { code }), target);
    assert.equal(error?.code, expected);
    const named = expected === "TB_ADDRESS_UNAVAILABLE" ? "h (setting its.host) " : "h port 1 (setting its.port) ";
    assert.ok(error === undefined || error.message.startsWith(named), error?.message);
  }
  assert.equal(listenError("text", target), undefined);
});

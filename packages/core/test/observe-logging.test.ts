import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { LoggingConfig } from "../src/config/schema.ts";
import { ThreatBusError } from "../src/errors.ts";
import { createLogger } from "../src/observe/logging.ts";
import { SynchronousWriter } from "../src/observe/synchronous.ts";
import { directory } from "./config-fixtures.ts";

const DEFAULTS: LoggingConfig = {
  console: true,
  console_verbosity: "INFO",
  file: false,
  file_verbosity: "INFO",
  filename: "threatbus.log",
  format: "pretty",
};

function open(cwd: string, config: Partial<LoggingConfig> = {}, isTTY = false, env: Record<string, string> = {}) {
  const written: string[] = [];
  const state = { fatal: 0, linesAtFatal: 0 };
  const logging = createLogger({
    config: { ...DEFAULTS, ...config },
    cwd,
    env,
    console: { isTTY, write: (text) => written.push(text) },
    onFatal: () => {
      state.fatal++;
      state.linesAtFatal = written.length;
    },
  });
  return { ...logging, written, state };
}

test("pretty: one aligned line with UTC time, level, component, text and fields", (t) => {
  const { logger, written } = open(directory(t));
  logger.info({}, "ready");
  logger.child({ component: "zmq" }).warn({ port: 13371, name: "a b", list: [1] }, "slow");
  assert.match(written[0] ?? "", /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO {5}\[threatbus\] ready\n$/);
  assert.match(written[1] ?? "", / WARNING {2}\[zmq\] slow port=13371 name="a b" list=\[1\]\n$/);
});

test("json: one object per line, levels in words", (t) => {
  const { logger, written } = open(directory(t), { format: "json" });
  logger.child({ component: "zmq" }).error({ count: 3 }, "lost");
  const { time, ...record } = JSON.parse(written[0] ?? "");
  assert.deepEqual(record, { level: "ERROR", component: "zmq", count: 3, msg: "lost" });
  assert.equal(new Date(time).toISOString(), time);
});

test("text from outside cannot start a line of its own or steer a terminal", (t) => {
  const { logger, written } = open(directory(t));
  logger.child({ component: "a\nb" }).info({ name: "x\u001b[2J\r\n\u202e", "k\ney": 1 }, "one\ntwo\u0007\u009b");
  logger.info({ err: new Error("bad\nworse") }, "failed");
  for (const line of written) assert.match(line, /^[^\p{Cc}\u202e]*\n$/u);
  assert.match(written[0] ?? "", /one\\ntwo\\u0007\\u009b/);
  assert.match(written[1] ?? "", /err="bad\\nworse"/);
});

test("fields that look secret and credentials in URLs are hidden, in both formats", (t) => {
  for (const format of ["pretty", "json"] as const) {
    const { logger, written } = open(directory(t), { format });
    const nested = { options: { password: "hunter2", list: [{ apiKey: "hunter2" }] } };
    logger.child({ token: "hunter2" }).info({ ...nested, url: "amqps://u:hunter2@h/v", key: "hunter2" }, "connected");
    assert.doesNotMatch(written.join(""), /hunter2/);
    assert.match(written.join(""), /amqps:\/\/\(hidden\)@h\/v/);
  }
});

test("console and file each have their own verbosity", (t) => {
  const cwd = directory(t);
  const { logger, written, close } = open(cwd, { console_verbosity: "ERROR", file: true, file_verbosity: "DEBUG" });
  logger.debug({}, "detail");
  logger.warn({}, "warning");
  logger.error({}, "trouble");
  close();
  assert.deepEqual(written.length, 1);
  const lines = readFileSync(join(cwd, "threatbus.log"), "utf8").trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => line.split(" ")[2]),
    ["DEBUG", "WARNING", "ERROR"],
  );
});

test("the file is appended to, and has no colours", (t) => {
  const cwd = directory(t);
  for (const word of ["first", "second"]) {
    const { logger, close } = open(cwd, { console: false, file: true }, true);
    logger.info({}, word);
    close();
  }
  const text = readFileSync(join(cwd, "threatbus.log"), "utf8");
  assert.match(text, /first\n.*second\n$/);
  assert.ok(!text.includes("\u001b"));
});

test("colours only on a terminal and without NO_COLOR", (t) => {
  const coloured = (isTTY: boolean, env: Record<string, string>): boolean => {
    const { logger, written } = open(directory(t), {}, isTTY, env);
    logger.error({}, "x");
    return written.join("").includes("\u001b[");
  };
  assert.deepEqual(
    [coloured(true, {}), coloured(false, {}), coloured(true, { NO_COLOR: "1" }), coloured(true, { NO_COLOR: "" })],
    [true, false, false, true],
  );
});

test("CRITICAL calls back after the line is written, from children and without any output too", (t) => {
  const { logger, state } = open(directory(t));
  logger.child({ component: "x" }).fatal({}, "no backbone");
  assert.deepEqual(state, { fatal: 1, linesAtFatal: 1 });
  const silent = open(directory(t), { console: false });
  silent.logger.error({}, "x");
  assert.equal(silent.state.fatal, 0);
  silent.logger.fatal({}, "x");
  assert.equal(silent.state.fatal, 1);
});

test("stacks are shown where DEBUG is", (t) => {
  const quiet = open(directory(t));
  quiet.logger.error({ err: new Error("bad") }, "failed");
  assert.equal(quiet.written.join("").split("\n").length, 2);
  const chatty = open(directory(t), { console_verbosity: "DEBUG" });
  chatty.logger.error({ err: Object.assign(new Error("bad"), { code: "EX" }) }, "failed");
  assert.match(chatty.written.join(""), /err="bad \(EX\)"\n {4}at /);
});

test("a file that cannot be opened is an error with a code", (t) => {
  const cwd = directory(t);
  assert.throws(
    () => open(cwd, { file: true, filename: "missing/x.log" }),
    (thrown) =>
      thrown instanceof ThreatBusError && thrown.code === "TB_LOG_FILE" && thrown.message.includes("missing/x.log"),
  );
});

test("a full disk is said once, and logging goes on", (t) => {
  const { logger, written } = open(directory(t), { file: true, filename: "/dev/full" });
  logger.info({}, "one");
  logger.info({}, "two");
  assert.equal(written.filter((line) => line.includes("cannot write the log file /dev/full: ENOSPC")).length, 1);
  assert.equal(written.length, 3);
});

test("nothing is lost when the process exits at once, through a pipe", () => {
  const script = `
    import { createLogger, standardError } from ${JSON.stringify(new URL("../src/observe/logging.ts", import.meta.url).href)};
    process.stderr.isTTY; // makes the pipe non-blocking
    const config = ${JSON.stringify(DEFAULTS)};
    const { logger } = createLogger({ config, cwd: ".", env: {}, console: standardError(), onFatal: () => process.exit(1) });
    for (let i = 0; i < 3000; i++) logger.info({ i, text: "x".repeat(100) }, "line");
    logger.fatal({}, "the end");
  `;
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.equal(status, 1);
  const lines = stderr.trimEnd().split("\n");
  assert.equal(lines.length, 3001);
  assert.match(lines.at(-1) ?? "", /CRITICAL \[threatbus\] the end$/);
});

test("a reader that does not read holds the bus up once, and gets whole lines when it reads again", (t) => {
  const folder = directory(t);
  const fifo = join(folder, "fifo");
  assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
  const descriptor = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => closeSync(descriptor));
  const writer = new SynchronousWriter(descriptor);
  for (let i = 0; i < 3_000; i++) writer.write(`${String(i).padStart(99, "0")}\n`);
  const buffer = Buffer.alloc(1_000_000);
  const first = buffer.toString("utf8", 0, readSync(descriptor, buffer));
  writer.write("again\n");
  const text = first + buffer.toString("utf8", 0, readSync(descriptor, buffer));
  const lines = text.trimEnd().split("\n");
  assert.equal(lines.at(-1), "again");
  assert.ok(lines.length > 100 && lines.length < 3_000, `${lines.length} lines`);
  lines.slice(0, -1).forEach((line, index) => {
    assert.equal(line, String(index).padStart(99, "0"));
  });
});

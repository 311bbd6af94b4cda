/** Programs that behave, and programs that do not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@threatbus/testkit";
import { type Command, CommandFailed, type CommandOptions, startCommand } from "../src/command.ts";

const shell = (script: string, options: Partial<CommandOptions> = {}): Promise<Command> =>
  startCommand({ program: "/bin/sh", args: ["-c", script], ...options });

async function linesOf(command: Command): Promise<string[]> {
  return await Array.fromAsync(command.lines);
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

test("lines, without empty ones, and how it ended", async () => {
  const command = await shell("printf 'one\\n\\n  two \\r\\nthree'; echo why >&2; exit 3");
  assert.deepEqual(await linesOf(command), ["one", "two", "three"]);
  assert.deepEqual(await command.ended, { code: 3, killedBy: null, timedOut: false, errorText: "why" });
});

test("what is given to it: arguments as they are, environment, input", async () => {
  const command = await startCommand({
    program: "/bin/sh",
    args: ["-c", 'echo "$1|$GIVEN"; cat', "sh", "a b'$(exit 1)\""],
    env: { GIVEN: "here" },
    input: "from input\nüber",
  });
  assert.deepEqual(await linesOf(command), ["a b'$(exit 1)\"|here", "from input", "über"]);
});

test("input that nobody reads breaks nothing", async () => {
  const command = await shell("exec <&-; echo done", { input: "x".repeat(1_000_000) });
  assert.deepEqual(await linesOf(command), ["done"]);
  assert.equal((await command.ended).code, 0);
});

test("programs that cannot be started", async () => {
  const failed = (program: string, args: string[] = []) => startCommand({ program, args });
  await assert.rejects(failed("no-such-program"), { name: "CommandFailed", message: /there is no such program/ });
  await assert.rejects(failed("/etc/passwd"), CommandFailed);
  await assert.rejects(failed("/bin/true", ["x".repeat(3_000_000)]), CommandFailed);
});

test("a line that is too long is skipped and told, the others come", async () => {
  let skipped = 0;
  const bounds = { maxLineBytes: 1_000, onLongLine: () => (skipped += 1) };
  const command = await shell(
    "echo before; head -c 200000 /dev/zero | tr '\\0' x; echo; echo after; printf '%01001d' 0",
    bounds,
  );
  assert.deepEqual(await linesOf(command), ["before", "after"]);
  assert.equal(skipped, 2);
});

test("one that takes too long is ended, with what it has started", async () => {
  const command = await shell("sleep 600 & echo $!; wait", { timeout: 300 });
  const [pid] = await linesOf(command);
  const { timedOut, killedBy } = await command.ended;
  assert.deepEqual([timedOut, killedBy], [true, "SIGTERM"]);
  await eventually("what it started to end", () => isGone(Number(pid)));
});

test("one that has ended and left something behind with its output is ended in time as well", async () => {
  const command = await shell("sleep 600 & echo $!", { timeout: 500 });
  const [pid] = await linesOf(command);
  assert.equal((await command.ended).timedOut, true);
  await eventually("what it left to end", () => isGone(Number(pid)));
});

test("one that does not listen is ended by force, and one that has left its group is not waited for", async (t) => {
  const deaf = await shell("trap '' TERM; echo ready; while :; do sleep 1; done", { timeout: 500 });
  assert.deepEqual(await linesOf(deaf), ["ready"]);
  assert.equal((await deaf.ended).killedBy, "SIGKILL");

  const away = await shell("setsid sh -c 'echo $$; exec sleep 600' & wait", { timeout: 500 });
  const lines: string[] = [];
  // Its output breaks off, which is no error of ours.
  for await (const line of away.lines) lines.push(line);
  t.after(() => process.kill(Number(lines[0]), "SIGKILL"));
  assert.equal((await away.ended).timedOut, true);
});

test("an abort ends it; one before is the reason that it does not start", async () => {
  const stop = new AbortController();
  const command = await shell("echo $$; sleep 600", { signal: stop.signal });
  for await (const line of command.lines) {
    assert.match(line, /^\d+$/);
    stop.abort();
  }
  assert.equal((await command.ended).killedBy, "SIGTERM");
  await assert.rejects(shell("true", { signal: stop.signal }), { name: "AbortError" });
});

test("leaving the loop ends it", async () => {
  const command = await shell("while :; do echo line; done");
  for await (const line of command.lines) {
    assert.equal(line, "line");
    break;
  }
  assert.notEqual((await command.ended).killedBy, null);
});

test("an abort ends one whose output nobody reads", async () => {
  const stop = new AbortController();
  const command = await shell("while :; do echo line; done", { signal: stop.signal });
  stop.abort();
  assert.equal((await command.ended).killedBy, "SIGTERM");
});

test("one that has closed its output may finish its work", async () => {
  const command = await shell("echo line; exec >&-; sleep 0.3; exit 7");
  assert.deepEqual(await linesOf(command), ["line"]);
  assert.equal((await command.ended).code, 7);
});

test("of what it says on standard error the end is kept", async () => {
  const command = await shell("head -c 100000 /dev/zero | tr '\\0' x >&2; echo end >&2");
  await linesOf(command);
  const { errorText } = await command.ended;
  assert.equal(errorText.length, 4_095);
  assert.ok(errorText.endsWith("xend"));
});

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { Message } from "@threatbus/client";
import { eventually, indicator, numberedIndicator, RecordingLogger, sighting } from "@threatbus/testkit";
import { errorOfStatus } from "../src/graphql/errors.ts";
import { OpenctiError } from "../src/graphql/index.ts";
import { DeadLetters } from "../src/outbound/dead-letters.ts";
import { type Deliverer, Drain, type DrainOptions } from "../src/outbound/drain.ts";
import { laneOf } from "../src/outbound/incoming.ts";
import type { Outcome } from "../src/outbound/outcome.ts";
import { receive } from "../src/outbound/receive.ts";
import { Spool } from "../src/outbound/spool/spool.ts";
import { addIndicator, type DeliverySite, startDelivery } from "./outbound-support.ts";

const PAUSES = { min: 1, max: 10, credentials: 20 };
const uuid = (number: number): string => `00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;

interface Site {
  readonly spool: Spool;
  readonly logger: RecordingLogger;
  readonly outcomes: string[];
  readonly states: { ok: boolean; detail: string | undefined }[];
  readonly letters: () => { code: string; object: { id: string } }[];
  /** Begins to drain; ends with the test. */
  start(delivery: Deliverer, options?: Partial<DrainOptions>): void;
  put(...bodies: readonly Buffer[]): Promise<void>;
}

function prepare(t: TestContext, maxBytes = 10_000_000): Site {
  const folder = mkdtempSync(join(tmpdir(), "opencti-drain-"));
  const spool = new Spool(join(folder, "spool.db"), { maxBytes });
  const path = join(folder, "dead.jsonl");
  const logger = new RecordingLogger();
  const outcomes: string[] = [];
  const states: Site["states"] = [];
  const end = new AbortController();
  const runs: Promise<void>[] = [];
  t.after(async () => {
    end.abort();
    await Promise.all(runs);
    spool.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    spool,
    logger,
    outcomes,
    states,
    letters: () =>
      readFileSync(path, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    start: (delivery, options = {}) => {
      const drain = new Drain({
        spool,
        delivery,
        deadLetters: new DeadLetters({ path }),
        logger,
        onState: (ok, detail) => states.push({ ok, detail }),
        onOutcome: (outcome) => outcomes.push(outcome),
        onDeadLetter: (reason) => outcomes.push(reason),
        pauses: PAUSES,
        ...options,
      });
      runs.push(drain.run(end.signal));
    },
    put: async (...bodies) => {
      await Promise.all(bodies.map((body) => spool.append(laneOf(JSON.parse(body.toString())), body)));
    },
  };
}

/** Delivery as a test wants it. */
function deliverer(deliver: (body: Buffer) => Outcome | Promise<Outcome>): Deliverer {
  return { prepare: () => Promise.resolve(), deliver: async (body) => deliver(body) };
}

function seen(number: number, members: object = {}): Buffer {
  return sighting({ id: `sighting--${uuid(number)}`, last_seen: "2024-06-10T06:30:00Z", ...members }).bytes;
}

const idOf = (body: Buffer): string => JSON.parse(body.toString()).id;
const drained = (site: Site) => eventually("the spool is empty", () => site.spool.size === 0);

describe("draining the spool", () => {
  test("keeps the order of each indicator, and works on several of them at a time", async (t) => {
    const site = prepare(t);
    const order: string[] = [];
    let most = 0;
    let now = 0;
    await site.put(...Array.from({ length: 30 }, (_, n) => seen(n, { sighting_of_ref: `indicator--${uuid(n % 3)}` })));
    site.start(
      deliverer(async (body) => {
        now += 1;
        most = Math.max(most, now);
        for (let turn = 0; turn < Math.random() * 10; turn += 1) await new Promise(setImmediate);
        order.push(idOf(body));
        now -= 1;
        return "written" as const;
      }),
    );
    await drained(site);
    for (const lane of [0, 1, 2]) {
      const expected = Array.from({ length: 10 }, (_, n) => `sighting--${uuid(n * 3 + lane)}`);
      const wanted = new Set(expected);
      assert.deepEqual(
        order.filter((id) => wanted.has(id)),
        expected,
      );
    }
    assert.ok(most > 1 && most <= 4, `${most} at a time`);
  });

  test("does not write what was written, though it comes again", async (t) => {
    const site = prepare(t);
    const written: string[] = [];
    site.start(
      deliverer((body) => {
        written.push(idOf(body));
        return "written";
      }),
    );
    await site.put(seen(1), seen(1));
    await drained(site);
    await site.put(seen(1), seen(1, { modified: "2024-01-01T00:00:00.000Z" }), numberedIndicator(1).bytes);
    await site.put(numberedIndicator(1).bytes);
    await drained(site);
    assert.deepEqual(written.map((id) => id.slice(0, 9)).sort(), ["indicator", "indicator", "sighting-", "sighting-"]);
    assert.equal(site.outcomes.filter((outcome) => outcome === "duplicate").length, 2);
  });

  test("puts what is refused into the file of dead letters, and goes on", async (t) => {
    const site = prepare(t);
    await site.put(seen(1), seen(2), seen(3));
    site.start(
      deliverer((body) => {
        if (idOf(body).endsWith("1")) throw new OpenctiError("refused", "FUNCTIONAL_ERROR", "no");
        if (idOf(body).endsWith("2")) throw new TypeError("a mistake of ours");
        return "written";
      }),
    );
    await drained(site);
    const letters = site.letters().map(({ code, object }) => [code, object.id]);
    assert.deepEqual(letters, [
      ["FUNCTIONAL_ERROR", `sighting--${uuid(1)}`],
      ["INTERNAL_ERROR", `sighting--${uuid(2)}`],
    ]);
    assert.deepEqual(site.outcomes, ["functional_error", "internal_error", "written"]);
  });

  test("passes over one object that fails while others are written, and gives it up in the end", async (t) => {
    const site = prepare(t);
    site.start(
      deliverer((body) => {
        if (idOf(body).endsWith("1")) throw new OpenctiError("unreachable", "NO_ANSWER", "none");
        return "written";
      }),
      { setbacks: { limit: 3, min: 1, max: 2 } },
    );
    await site.put(seen(1, { sighting_of_ref: `indicator--${uuid(1)}` }));
    for (let number = 2; site.outcomes.includes("no_answer") === false; number += 16) {
      assert.ok(number < 10_000, "it is never given up");
      await site.put(seen(number, { sighting_of_ref: `indicator--${uuid(2)}` }));
    }
    assert.deepEqual(
      site.letters().map(({ object }) => object.id),
      [`sighting--${uuid(1)}`],
    );
  });

  test("gives nothing up while nothing at all can be written", async (t) => {
    const site = prepare(t);
    let calls = 0;
    site.start(
      deliverer(() => {
        calls += 1;
        throw new OpenctiError(calls % 2 === 0 ? "unreachable" : "busy", "DATABASE_ERROR", "down");
      }),
      { setbacks: { limit: 2, min: 1, max: 2 } },
    );
    await site.put(...Array.from({ length: 5 }, (_, n) => seen(n, { sighting_of_ref: `indicator--${uuid(n)}` })));
    await eventually("it was tried often", () => calls > 60);
    assert.equal(site.spool.size, 5);
    assert.deepEqual(site.outcomes, []);
  });
});

describe("OpenCTI fails", () => {
  const indicatorId = "indicator--46b3f973-5c03-41fc-9efe-49598a267a35";

  async function startAll(t: TestContext, maxBytes?: number): Promise<{ site: Site; remote: DeliverySite }> {
    const remote = await startDelivery(t);
    addIndicator(remote, "[domain-name:value = 'evil.example']", { stix_id: indicatorId });
    return { site: prepare(t, maxBytes), remote };
  }

  const once = (number: number) => seen(number, { last_seen: `2024-06-10T06:30:${String(number).padStart(2, "0")}Z` });

  test("it is down: everything waits on disk, the health says why, and all is written when it is back", async (t) => {
    const { site, remote } = await startAll(t);
    remote.faults.badGateway = 12;
    site.start(remote.delivery);
    await site.put(...Array.from({ length: 20 }, (_, n) => once(n)));
    await drained(site);
    assert.equal(remote.sightings().length, 20);
    assert.ok(site.states.some(({ ok, detail }) => !ok && /HTTP 502 with text\/html/.test(detail ?? "")));
    assert.equal(site.states.at(-1)?.ok, true);
  });

  test("the token is not accepted any more: nothing is lost", async (t) => {
    const { site, remote } = await startAll(t);
    const users = remote.state.users.splice(0);
    site.start(remote.delivery);
    await site.put(once(1), once(2));
    await eventually("it is said", () => site.states.some(({ ok }) => !ok));
    assert.match(site.states.find(({ ok }) => !ok)?.detail ?? "", /logged in.*opencti\.token/);
    remote.state.users.push(...users);
    await drained(site);
    assert.equal(remote.sightings().length, 2);
  });

  test("a capability is missing: it is named, and nothing is lost", async (t) => {
    const { site, remote } = await startAll(t);
    const users = remote.state.users.splice(0);
    remote.state.users.push(...users.map((user) => ({ ...user, capabilities: ["KNOWLEDGE"] })));
    site.start(remote.delivery);
    await site.put(once(1), once(2));
    await eventually("it is said", () => site.states.some(({ ok }) => !ok));
    assert.match(site.states.find(({ ok }) => !ok)?.detail ?? "", /KNOWLEDGE_KNUPDATE/);
    remote.state.users.splice(0, 1, ...users);
    await drained(site);
    assert.equal(remote.sightings().length, 2);
  });

  test("the capability to delete is missing: deletions become dead letters, sightings go on", async (t) => {
    const remote = await startDelivery(t, {
      outbound: { on_remove: "delete" },
      capabilities: ["KNOWLEDGE", "KNOWLEDGE_KNUPDATE"],
    });
    addIndicator(remote, "[domain-name:value = 'evil.example']", { stix_id: indicatorId });
    const site = prepare(t);
    site.start(remote.delivery);
    await site.put(indicator({ members: { x_threatbus_update: "REMOVE" } }).bytes, once(1), once(2));
    await drained(site);
    assert.equal(remote.sightings().length, 2);
    assert.deepEqual(
      site.letters().map(({ code, object }) => [code, object.id]),
      [["FORBIDDEN_ACCESS", indicatorId]],
    );
    assert.deepEqual(site.outcomes.toSorted(), ["forbidden_access", "written", "written"]);
    assert.ok(site.states.every(({ ok }) => ok));
  });

  test("one object is for others only: it becomes a dead letter, and does not hold up the rest", async (t) => {
    const { site, remote } = await startAll(t);
    remote.faults.errors = [{ code: "FORBIDDEN_ACCESS", times: 2, field: "stixSightingRelationshipAdd" }];
    site.start(remote.delivery);
    await site.put(once(1), once(2));
    await drained(site);
    assert.deepEqual(site.outcomes.toSorted(), ["forbidden_access", "written"]);
  });

  test("something in front of OpenCTI forbids one call: the rest goes on, and that one is given up in the end", async (t) => {
    const site = prepare(t);
    site.start(
      deliverer((body) => {
        if (idOf(body).endsWith("1")) throw errorOfStatus(403, "text/html");
        return "written";
      }),
      { setbacks: { limit: 3, min: 1, max: 2 } },
    );
    await site.put(seen(1, { sighting_of_ref: `indicator--${uuid(1)}` }));
    for (let number = 2; site.outcomes.includes("http_403") === false; number += 16) {
      assert.ok(number < 10_000, "it is never given up");
      await site.put(seen(number, { sighting_of_ref: `indicator--${uuid(2)}` }));
    }
  });

  test("a lock: that one is tried again", async (t) => {
    const { site, remote } = await startAll(t);
    remote.faults.errors = [{ code: "LOCK_ERROR", times: 2, field: "stixSightingRelationshipAdd" }];
    site.start(remote.delivery, { setbacks: { min: 1, max: 2 } });
    await site.put(once(1), once(2));
    await drained(site);
    assert.equal(remote.sightings().length, 2);
  });

  test("answers are lost: still one relation for each sighting", async (t) => {
    const { site, remote } = await startAll(t);
    remote.faults.lost = { field: "stixSightingRelationshipAdd", times: 5 };
    site.start(remote.delivery, { setbacks: { min: 1, max: 2 } });
    await site.put(...[1, 2, 3].map((number) => seen(number, { count: 2, last_seen: `2024-06-10T06:30:0${number}Z` })));
    await drained(site);
    assert.deepEqual(
      remote.sightings().map(({ count }) => count),
      [2, 2, 2],
    );
  });
});

describe("receiving", () => {
  /** What a subscription does: the next message when the loop comes back for it. */
  class Bus implements AsyncIterable<Message> {
    taken = 0;
    readonly #count: number;
    constructor(count: number) {
      this.#count = count;
    }
    async *[Symbol.asyncIterator](): AsyncGenerator<Message> {
      while (this.taken < this.#count) {
        this.taken += 1;
        const { object, bytes } = sighting({ id: `sighting--${uuid(this.taken)}`, description: "x".repeat(1_000) });
        yield { type: "sighting", object, bytes };
      }
    }
  }

  test("a full spool takes nothing from the bus, and no position passes that is not on disk", async (t) => {
    const site = prepare(t, 50_000);
    const bus = new Bus(500);
    const open = new Set<number>();
    let begun = 0;
    const begin = () => {
      begun += 1;
      const number = begun;
      open.add(number);
      return () => void open.delete(number);
    };
    const end = new AbortController();
    const { spool, logger } = site;
    const isOwn = () => false;
    const receiving = receive({ messages: bus, spool, gate: { begin }, isOwn, logger }, end.signal);
    await eventually("it is full", () => spool.isFull && open.size === 0);
    const { taken } = bus;
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    assert.equal(bus.taken, taken);
    assert.ok(taken < 100, `${taken} were taken`);
    assert.equal(begun, taken - 1, "the one that has no room is not dealt with");
    assert.ok(logger.lines.some(({ message }) => message.includes("the spool is full")));
    let written = 0;
    site.start(
      deliverer(() => {
        written += 1;
        return "written";
      }),
    );
    await receiving;
    await eventually("all are written", () => written === 500);
    assert.equal(open.size, 0);
  });

  test("ends with the signal, though the spool is full", async (t) => {
    const site = prepare(t, 1);
    const end = new AbortController();
    const gate = { begin: () => () => undefined };
    const { spool, logger } = site;
    const receiving = receive({ messages: new Bus(5), spool, gate, isOwn: () => false, logger }, end.signal);
    await eventually("it is full", () => spool.isFull);
    end.abort(new Error("the end"));
    await assert.rejects(receiving, /the end/);
  });

  test("what the connector has published is not put into the spool", async (t) => {
    const site = prepare(t);
    const gate = { begin: () => () => undefined };
    const { spool, logger } = site;
    const isOwn = ({ id }: { readonly id: string }) => !id.endsWith("3");
    await receive({ messages: new Bus(5), spool, gate, isOwn, logger }, new AbortController().signal);
    assert.equal(spool.size, 1);
  });
});

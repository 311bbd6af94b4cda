/** All questions to the log. Every answer is bounded in rows, in bytes, and in the rows that are looked at. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { StixType } from "@threatbus/stix";
import { AnswerWriter } from "../codec/answers.ts";
import type { Row } from "../codec/entries.ts";
import type { Answer, Request } from "../protocol.ts";
import type { ObjectState } from "../records.ts";
import { hashOf } from "./hash.ts";
import { type Indexer, isLater, type WaitingState } from "./indexer.ts";
import { numberOf } from "./schema.ts";
import type { StateRow } from "./state.ts";

type RequestOf<Kind extends Request["kind"]> = Extract<Request, { readonly kind: Kind }>;

const COLUMNS = `l.seq, l.received_at, l.type, l.removed, l.stix_id, l.message_id, l.source, l.modified, l.valid_until,
  l.object_path, l.value, l.tlp, l.bytes, l.key`;
/** An answer is closed by the record that takes it over this. */
const ANSWER_BYTES = 512 * 1024;
/** Rows that one part of a reading goes over, whether or not they belong to the answer. */
const SCAN_ROWS = 2000;
/** SQL has no infinity. */
const FOREVER = Number.MAX_SAFE_INTEGER;

/** Is the row `l` the newest state of its object among positions in (floor, until], as far as by_id knows? */
const IS_NEWEST = `NOT EXISTS (
  SELECT 1 FROM by_id AS i JOIN log AS n ON n.seq = i.seq
  WHERE i.key = l.key AND (i.modified, i.seq) > (l.modified, l.seq) AND i.seq <= :until AND i.seq > :floor
    AND n.stix_id = l.stix_id)`;

const EXPIRED_KEYS = `SELECT valid_until, seq FROM log
  WHERE valid_until > ? AND valid_until <= ? AND removed = 0 AND (valid_until, seq) > (?, ?) ORDER BY valid_until, seq`;

/** A row as SQL gives it, in the order of COLUMNS. */
type Columns = [
  number,
  number,
  number,
  number,
  string,
  string,
  string,
  number,
  number | null,
  string | null,
  string | null,
  number | null,
  Uint8Array,
  number,
];

type StateColumns = readonly [
  stixId: string,
  modified: number,
  receivedAt: number,
  validUntil: number | null,
  removed: number,
];

export class Reader {
  readonly #database: DatabaseSync;
  readonly #state: StateRow;
  readonly #indexer: Indexer;
  readonly #given: () => number;
  readonly #statements = new Map<string, StatementSync>();

  /** @param given the newest position of which it is known that everything up to it is in the database, if it was kept */
  constructor(database: DatabaseSync, state: StateRow, indexer: Indexer, given: () => number) {
    this.#database = database;
    this.#state = state;
    this.#indexer = indexer;
    this.#given = given;
  }

  /** Newest position in the log, its floor when it is empty. */
  get last(): number {
    return Math.max(this.#state.floor, numberOf(this.#database, "SELECT max(seq) FROM log"));
  }

  read({ after, limit, type }: RequestOf<"read">): Answer {
    const { floor } = this.#state;
    const start = Math.max(after, floor);
    const found = this.#scanEnd(start, FOREVER);
    // There may be positions without a record: some are reserved and never given.
    const end = found.isLast ? { ...found, position: Math.max(found.position, this.#given()) } : found;
    const rows = this.#rows(
      `SELECT ${COLUMNS} FROM log AS l WHERE l.seq > :start AND l.seq <= :end AND ${this.#typeIs(type)} ORDER BY l.seq`,
      { start, end: end.position },
    );
    return { ...this.#answer(rows, limit, end), skipped: Math.max(0, floor - after) };
  }

  /** Which messages came last, in the order of positions. */
  newest({ limit }: RequestOf<"newest">): Answer {
    const query = "SELECT seq, message_id FROM log WHERE seq > ? ORDER BY seq DESC LIMIT ?";
    const rows = this.#all(query, [this.#state.floor, limit]) as [number, string][];
    return { messages: rows.reverse().map(([position, messageId]) => ({ position, messageId })) };
  }

  /** What the outbox has, in the order in which it was added. */
  outbox({ after, limit }: RequestOf<"outbox">): Answer {
    const rows = this.#rows(`SELECT ${COLUMNS} FROM outbox AS l WHERE l.seq > :after ORDER BY l.seq`, { after });
    return this.#answer(rows, limit);
  }

  outboxSize({ after }: RequestOf<"outbox-size">): Answer {
    const [count = 0] = (this.#one("SELECT count(*) FROM outbox WHERE seq > ?", [after]) ?? []) as number[];
    return { position: count };
  }

  /** The position after which everything lies that was received at `time` or later. */
  positionBefore({ time }: RequestOf<"position-before">): Answer {
    const { floor } = this.#state;
    const block = this.#one("SELECT first, last FROM times WHERE high >= ? ORDER BY high, first LIMIT 1", [time]);
    if (block === undefined) return { position: this.last };
    const [first = 0, last = 0] = block as number[];
    const query = "SELECT seq FROM log WHERE seq BETWEEN ? AND ? AND received_at >= ? ORDER BY seq LIMIT 1";
    const [seq = 0] = (this.#one(query, [Math.max(first, floor + 1), last, time]) ?? []) as number[];
    return { position: Math.max(floor, seq === 0 ? first - 1 : seq - 1) };
  }

  /** All states of an object, newest first. */
  byId({ stixId, limit }: RequestOf<"by-id">): Answer {
    const key = hashOf(stixId);
    const found = new Map<number, number>();
    const entries = this.#all(
      "SELECT modified, seq FROM by_id WHERE key = ? AND seq > ? ORDER BY modified DESC, seq DESC LIMIT ?",
      [key, this.#state.floor, limit],
    ) as [number, number][];
    for (const [modified, seq] of entries) found.set(seq, modified);
    for (const { seq, modified } of this.#indexer.positionsOfKey(key)) found.set(seq, modified);
    const order = [...found].sort(([seqA, a], [seqB, b]) => b - a || seqB - seqA).map(([seq]) => seq);
    return this.#answer(
      this.#at(order, (row) => row.stixId === stixId),
      limit,
    );
  }

  /** The newest state of each of these objects that is there. */
  states({ stixIds }: RequestOf<"states">): Answer {
    return { states: [...new Set(stixIds)].flatMap((stixId) => this.#stateOf(stixId) ?? []) };
  }

  #stateOf(stixId: string): ObjectState | undefined {
    const { floor } = this.#state;
    const key = hashOf(stixId);
    const inIndex = this.#one(
      `SELECT i.modified, i.seq FROM by_id AS i JOIN log AS l ON l.seq = i.seq
       WHERE i.key = ? AND i.seq > ? AND l.stix_id = ? ORDER BY i.modified DESC, i.seq DESC LIMIT 1`,
      [key, floor, stixId],
    );
    const [modified = 0, seq = 0] = (inIndex ?? []) as number[];
    const candidates = this.#indexer.positionsOfKey(key).filter((each) => each.seq > floor);
    candidates.push({ modified, seq });
    candidates.sort((a, b) => b.modified - a.modified || b.seq - a.seq);
    for (const { seq } of candidates) {
      const row = this.#one("SELECT stix_id, modified, received_at, valid_until, removed FROM log WHERE seq = ?", [
        seq,
      ]);
      if (row?.[0] === stixId) return stateOf(seq, row as StateColumns);
    }
    return undefined;
  }

  /** All messages of a point IoC with this value, and all sightings of this id, latest first. */
  byValue({ value, objectPath, limit }: RequestOf<"by-value">): Answer {
    const key = hashOf(value);
    const waiting = this.#indexer.positionsOfValue(key);
    const query = "SELECT seq FROM by_value WHERE key = ? AND seq > ? ORDER BY seq DESC LIMIT ?";
    // With a path, some of the positions may not count.
    const entries = this.#all(query, [key, this.#state.floor, objectPath === undefined ? limit : limit * 4]) as [
      number,
    ][];
    const order = [...new Set([...waiting, ...entries.map(([seq]) => seq)])].sort((a, b) => b - a);
    const isWanted = (row: Row): boolean =>
      row.value === value && (objectPath === undefined || row.objectPath === objectPath);
    return this.#answer(this.#at(order, isWanted), limit);
  }

  /** The part of a snapshot behind `after`: newest states that are not removed. */
  snapshot({ after, until, since, type, validAt }: RequestOf<"snapshot">): Answer {
    const { floor } = this.#state;
    const start = Math.max(after, floor);
    const end = this.#scanEnd(start, until);
    const rows = this.#rows(
      `SELECT ${COLUMNS} FROM log AS l WHERE l.seq > :start AND l.seq <= :end AND l.removed = 0
         AND l.received_at >= :since AND coalesce(l.valid_until > :validAt, 1) AND ${this.#typeIs(type)} AND ${IS_NEWEST}
       ORDER BY l.seq`,
      { start, end: end.position, since, validAt, until, floor },
    );
    return this.#answer(this.#newest(rows, until), FOREVER, end);
  }

  /** Newest states whose validity ended in a span of time, and that are not removed; in the order of their ends. */
  expired({ after, behindTime, behindPosition, until, limit }: RequestOf<"expired">): Answer {
    const from = [after, until, behindTime, behindPosition, SCAN_ROWS - 1];
    const last = (this.#one(`${EXPIRED_KEYS} LIMIT 1 OFFSET ?`, from) ?? []) as number[];
    const [endTime = until, endPosition = FOREVER] = last;
    const rows = this.#rows(
      `SELECT ${COLUMNS} FROM log AS l WHERE l.valid_until > :after AND l.valid_until <= :end AND l.removed = 0
         AND (l.valid_until, l.seq) > (:behindTime, :behindPosition)
         AND (l.valid_until, l.seq) <= (:endTime, :endPosition) AND l.seq > :floor AND ${IS_NEWEST}
       ORDER BY l.valid_until, l.seq`,
      { after, end: until, behindTime, behindPosition, endTime, endPosition, until: FOREVER, floor: this.#state.floor },
    );
    const scan = { position: endPosition, isLast: last.length === 0 };
    return { ...this.#answer(this.#newest(rows, FOREVER), limit, scan), time: endTime };
  }

  #typeIs(type: StixType | undefined): string {
    return type === undefined ? "1" : `l.type = ${type === "sighting" ? 1 : 0}`;
  }

  /** Where a part of a reading ends that begins behind `start`. */
  #scanEnd(start: number, until: number): { readonly position: number; readonly isLast: boolean } {
    const query = "SELECT seq FROM log WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT 1 OFFSET ?";
    const [end] = (this.#one(query, [start, until, SCAN_ROWS - 1]) ?? []) as number[];
    return end === undefined
      ? { position: Math.max(start, Math.min(until, this.last)), isLast: true }
      : { position: end, isLast: false };
  }

  /** Leaves out rows that one waiting for the indexes makes old. */
  *#newest(rows: Iterable<Row & { readonly key: number }>, until: number): Generator<Row> {
    const stixIdAt = this.#prepared("SELECT stix_id FROM log WHERE seq = ?");
    const { floor } = this.#state;
    const known = new Map<string, WaitingState | undefined>();
    for (const row of rows) {
      const { key, stixId, modified, position } = row;
      if (!known.has(stixId)) {
        const isSame = (seq: number): boolean => (stixIdAt.get(seq) as readonly unknown[] | undefined)?.[0] === stixId;
        known.set(stixId, this.#indexer.newestOf(key, floor, until, isSame));
      }
      const newest = known.get(stixId);
      if (newest === undefined || !isLater(newest.modified, newest.seq, { modified, seq: position })) yield row;
    }
  }

  /** The rows at these positions that are there and wanted. */
  *#at(positions: readonly number[], isWanted: (row: Row) => boolean): Generator<Row> {
    for (const seq of positions) {
      if (seq <= this.#state.floor) continue;
      for (const row of this.#rows(`SELECT ${COLUMNS} FROM log AS l WHERE l.seq = :seq`, { seq }))
        if (isWanted(row)) yield row;
    }
  }

  *#rows(query: string, values: Record<string, number>): Generator<Row & { readonly key: number }> {
    for (const columns of this.#prepared(query).iterate(values)) yield rowOf(columns as unknown as Columns);
  }

  #one(query: string, values: readonly (number | string)[]): readonly unknown[] | undefined {
    return this.#prepared(query).get(...values) as unknown as unknown[] | undefined;
  }

  #all(query: string, values: readonly number[]): readonly unknown[] {
    return this.#prepared(query).all(...values) as unknown as unknown[];
  }

  #prepared(query: string): StatementSync {
    const known = this.#statements.get(query);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(query);
    statement.setReturnArrays(true);
    this.#statements.set(query, statement);
    return statement;
  }

  /** @param scan where the part ends if all its rows fit the answer; default: there is no next part */
  #answer(rows: Iterable<Row>, limit: number, scan?: { readonly position: number; readonly isLast: boolean }): Answer {
    const writer = new AnswerWriter();
    let count = 0;
    let position = 0;
    for (const row of rows) {
      writer.add(row);
      count += 1;
      ({ position } = row);
      if (count >= limit || writer.bytes >= ANSWER_BYTES) return { memory: writer.take(), position, end: false };
    }
    return { memory: writer.take(), position: scan?.position ?? position, end: scan?.isLast ?? true };
  }
}

function stateOf(position: number, columns: StateColumns): ObjectState {
  const [stixId, modified, receivedAt, validUntil, removed] = columns;
  return { stixId, position, modified, receivedAt, validUntil: validUntil ?? undefined, removed: removed === 1 };
}

function rowOf(columns: Columns): Row & { readonly key: number } {
  const [position, receivedAt, type, removed, stixId, messageId, source, modified, ...others] = columns;
  const [validUntil, objectPath, value, tlp, bytes, key] = others;
  return {
    position,
    receivedAt,
    type: type === 1 ? "sighting" : "indicator",
    removed: removed === 1,
    stixId,
    messageId,
    source,
    modified,
    validUntil,
    objectPath,
    value,
    tlp,
    bytes,
    key,
  };
}

/** Something with bytes to write at the end of the event-loop turn. */
export interface Flushable {
  flush(): void;
}

/** Outboxes written in one turn before they are flushed early: bounds the chunks in use when very many connections get one message. */
const MAX_WAITING = 256;

let waiting: Flushable[] = [];
let scheduled = false;

/** Has `target` flushed once, when all input of this turn of the event loop is handled. */
export function flushSoon(target: Flushable): void {
  waiting.push(target);
  if (waiting.length >= MAX_WAITING) {
    flushAll();
  } else if (!scheduled) {
    scheduled = true;
    setImmediate(onTurnEnd);
  }
}

function onTurnEnd(): void {
  scheduled = false;
  flushAll();
}

function flushAll(): void {
  const targets = waiting;
  waiting = [];
  for (const target of targets) target.flush();
}

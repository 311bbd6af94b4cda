/** Reads JSON text without changing its numbers. */
import { ExactNumber } from "./write.ts";

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const END_OF_NUMBER = /[^-+.\deE]|$/g;

function keepNumber(text: string): number | ExactNumber {
  const value = Number(text);
  return String(value) === text ? value : new ExactNumber(text);
}

/** As JSON.parse makes members: a name like `__proto__` is one like all others. */
function setMember(members: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== "__proto__") members[name] = value;
  else Object.defineProperty(members, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Goes through a text once. JSON.parse could do the same with a function for every value, ten times as slowly. */
class ExactReader {
  readonly #text: string;
  #at = 0;
  /** Where the next backslash is: it is looked for once, not for every string. */
  #backslash = -1;

  constructor(text: string) {
    this.#text = text;
  }

  value(): unknown {
    switch (this.#next()) {
      case OPEN_OBJECT:
        return this.#object();
      case OPEN_LIST:
        return this.#list();
      case QUOTE:
        return this.#string();
      case 0x74:
        this.#at += "true".length;
        return true;
      case 0x66:
        this.#at += "false".length;
        return false;
      case 0x6e:
        this.#at += "null".length;
        return null;
      default:
        return this.#number();
    }
  }

  /** The character that comes next but for white space. */
  #next(): number {
    while (this.#text.charCodeAt(this.#at) <= SPACE) this.#at++;
    return this.#text.charCodeAt(this.#at);
  }

  #object(): Record<string, unknown> {
    const members: Record<string, unknown> = {};
    this.#at++;
    while (this.#next() !== CLOSE_OBJECT) {
      if (this.#text.charCodeAt(this.#at) === COMMA) this.#at++;
      this.#next();
      const name = this.#string();
      this.#next();
      // the colon
      this.#at++;
      setMember(members, name, this.value());
    }
    this.#at++;
    return members;
  }

  #list(): unknown[] {
    const items: unknown[] = [];
    this.#at++;
    while (this.#next() !== CLOSE_LIST) {
      if (this.#text.charCodeAt(this.#at) === COMMA) this.#at++;
      items.push(this.value());
    }
    this.#at++;
    return items;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at;
    if (this.#backslash < start) {
      const found = text.indexOf("\\", start);
      this.#backslash = found < 0 ? text.length : found;
    }
    let end = text.indexOf('"', start + 1);
    if (end < this.#backslash) {
      this.#at = end + 1;
      return text.slice(start + 1, end);
    }
    end = this.#backslash;
    while (text.charCodeAt(end) !== QUOTE) end += text.charCodeAt(end) === BACKSLASH ? 2 : 1;
    this.#at = end + 1;
    return JSON.parse(text.slice(start, this.#at)) as string;
  }

  #number(): number | ExactNumber {
    const start = this.#at;
    END_OF_NUMBER.lastIndex = start;
    this.#at = END_OF_NUMBER.exec(this.#text)?.index ?? this.#text.length;
    return keepNumber(this.#text.slice(start, this.#at));
  }
}

/**
 * The values of a text that is known to be JSON and not too deep. Numbers that a double would change or write
 * differently are ExactNumbers; else it gives what JSON.parse gives.
 */
export function parseExactJson(text: string): unknown {
  return new ExactReader(text).value();
}

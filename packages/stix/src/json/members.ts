/** Finds the text of one member of a JSON object, so that its value can travel on unchanged. */
import { isSpace, stringEnd } from "./scan.ts";

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const CLOSE_OBJECT = 0x7d;
/** Longest way to write a byte of a name: `\u0061`. */
const MOST_PER_BYTE = 6;

function isOpening(byte: number | undefined): boolean {
  return byte === 0x7b || byte === 0x5b;
}

function isClosing(byte: number | undefined): boolean {
  return byte === 0x7d || byte === 0x5d;
}

/** The view from `start` to `end` without white space around. */
function trimmed(json: Buffer, start: number, end: number): Buffer {
  let from = start;
  let to = end;
  while (isSpace(json[from])) from++;
  while (isSpace(json[to - 1])) to--;
  return json.subarray(from, to);
}

/** Is the string from `start` to `end`, quotes included, this name? Only one with escapes has to be read for that. */
function isName(json: Buffer, start: number, end: number, name: Buffer): boolean {
  const length = end - start - 2;
  if (length === name.length) return json.compare(name, 0, length, start + 1, end - 1) === 0;
  // an escape has two or six bytes for one character
  if (length < name.length || length > MOST_PER_BYTE * name.length) return false;
  const text = json.toString("utf8", start, end);
  return text.includes("\\") && JSON.parse(text) === name.toString();
}

/**
 * The bytes of the value of a member, as a view without white space around; the last one where there are several.
 * @param json bytes that are known to be the JSON text of an object
 */
export function findMember(json: Buffer, name: string): Buffer | undefined {
  const nameBytes = Buffer.from(name);
  let found: Buffer | undefined;
  let depth = 0;
  let isWanted = false;
  let valueStart = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) {
      const end = stringEnd(json, at);
      // a string at the top level is a name until its colon has come
      if (depth === 1 && valueStart === 0) isWanted = isName(json, at, end, nameBytes);
      at = end - 1;
    } else if (isOpening(byte)) depth++;
    else if (byte === COLON && depth === 1) valueStart = at + 1;
    else if (isClosing(byte) || (byte === COMMA && depth === 1)) {
      if (depth === 1 && isWanted && valueStart > 0) found = trimmed(json, valueStart, at);
      if (depth === 1) valueStart = 0;
      if (byte !== COMMA) depth--;
    }
  }
  return found;
}

/**
 * The same object with this value for a member: put in the place of the one it has, else added as the last member. All
 * other bytes stay as they are.
 * @param json bytes that are known to be the JSON text of an object
 * @param value JSON text
 */
export function withMember(json: Buffer, name: string, value: string): Buffer {
  const old = findMember(json, name);
  if (old !== undefined) {
    const start = old.byteOffset - json.byteOffset;
    return Buffer.concat([json.subarray(0, start), Buffer.from(value), json.subarray(start + old.length)]);
  }
  const end = json.lastIndexOf(CLOSE_OBJECT);
  const isEmpty = trimmed(json, 0, end).length === 1;
  const member = `${isEmpty ? "" : ", "}${JSON.stringify(name)}: ${value}`;
  return Buffer.concat([json.subarray(0, end), Buffer.from(member), json.subarray(end)]);
}

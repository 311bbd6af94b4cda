/** Cuts JSON texts into the objects that are to be judged, while they are read: a bundle may be larger than memory. */
import type { Candidate } from "./input.ts";

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** Longer texts at the top of a document are neither a key nor a type nor an id that matters here, in bytes. */
const LONGEST_NAME = 64;

/** Input that is no sequence of objects: it is to be read as lines, from these bytes on. */
export interface NoDocument {
  /** Number of the line in which `bytes` begin, from 1. */
  readonly line: number;
  readonly bytes: Buffer;
}

/**
 * Takes JSON objects that follow one another, in pieces. The members of a bundle (STIX 2.1 section 8) are given out one by
 * one, as the very bytes that stand there; any other object as a whole. Only strings and brackets are looked at: the parser
 * that gets the bytes judges them. Holds no more than one object.
 */
export class DocumentCutter {
  readonly #maxBytes: number;
  readonly #found: Candidate[] = [];
  #line: number;
  #depth = 0;
  /** In a string, and behind a backslash in it. */
  #inString = false;
  #escaped = false;
  /** At the top of a document: the string that is being read, the last key, and what is known of the document. */
  #text: number[] = [];
  #key = "";
  #isValue = false;
  #type: string | undefined;
  #id: string | undefined;
  /** "whole": of the document; "first": the list of a bundle has begun; "members": in it; "rest": behind it. */
  #part: "whole" | "first" | "members" | "rest" = "whole";
  /** The object that is being held: pieces of former chunks, and its place in this one. */
  #pieces: Buffer[] = [];
  #length = 0;
  #startLine = 0;
  #from = -1;

  /**
   * @param line number of the line in which the input begins
   * @param maxBytes longest object that is held
   * @param type of the first document, where it is known
   */
  constructor(line: number, maxBytes: number, type?: string) {
    this.#line = line;
    this.#maxBytes = maxBytes;
    this.#type = type;
  }

  /** The objects that end in this chunk. After a NoDocument the cutter is of no more use. */
  push(chunk: Buffer): { readonly found: readonly Candidate[]; readonly failed?: NoDocument } {
    this.#found.length = 0;
    this.#from = this.#holding ? 0 : -1;
    for (let at = 0; at < chunk.length; at += 1) {
      if (this.#take(chunk, at)) continue;
      return { found: this.#found, failed: this.#giveBack(chunk, at) };
    }
    if (this.#from >= 0) this.#hold(chunk.subarray(this.#from));
    if (this.#isWhole && this.#length > this.#maxBytes) {
      return { found: this.#found, failed: { line: this.#startLine, bytes: Buffer.concat(this.#pieces) } };
    }
    return { found: this.#found };
  }

  /** What is left at the end of the input: an object of a bundle that was cut off, or something that is no document. */
  end(): { readonly found: readonly Candidate[]; readonly failed?: NoDocument } {
    if (this.#depth === 0) return { found: [] };
    if (this.#isWhole) return { found: [], failed: { line: this.#startLine, bytes: Buffer.concat(this.#pieces) } };
    const isComplete = this.#depth === 2 && !this.#inString;
    const held = this.#holding ? [{ line: this.#startLine, bytes: this.#bytes }] : [];
    // Where every object is complete, the end that is missing is the error.
    return { found: isComplete || held.length === 0 ? [...held, { line: this.#line, bytes: Buffer.alloc(0) }] : held };
  }

  get #isWhole(): boolean {
    return this.#part === "whole" || this.#part === "first";
  }

  get #holding(): boolean {
    return this.#startLine > 0;
  }

  /** @returns false where this byte cannot stand in a sequence of JSON objects */
  #take(chunk: Buffer, at: number): boolean {
    const byte = chunk[at] ?? 0;
    if (byte === NEWLINE) {
      this.#line += 1;
      // No JSON string goes over a line end: one whose quote is missing ends here.
      if (this.#inString && this.#isWhole) return false;
      this.#inString = false;
    } else if (this.#inString) this.#takeText(byte);
    else if (byte > 0x20) return this.#takeToken(chunk, at, byte);
    return true;
  }

  #takeText(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) {
      this.#inString = false;
      if (this.#depth === 1) this.#name(Buffer.from(this.#text).toString());
      return;
    }
    if (this.#depth === 1 && this.#text.length < LONGEST_NAME) this.#text.push(byte);
  }

  /** A string at the top of the document has ended. */
  #name(text: string): void {
    if (!this.#isValue) this.#key = text;
    else if (this.#key === "type") this.#type ??= text;
    else if (this.#key === "id") this.#id ??= text;
  }

  #takeToken(chunk: Buffer, at: number, byte: number): boolean {
    if (this.#depth === 0) {
      if (byte !== OPEN_OBJECT) return false;
      this.#begin(at);
    }
    if (this.#depth === 2 && (this.#part === "first" || this.#part === "members")) this.#inList(chunk, at, byte);
    if (byte === QUOTE) {
      this.#inString = true;
      this.#text.length = 0;
    } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      if (byte === OPEN_LIST && this.#depth === 1 && this.#isBundle) this.#part = "first";
      this.#depth += 1;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      this.#depth -= 1;
      if (this.#depth === 0) this.#endDocument(chunk, at);
    } else if (this.#depth === 1) this.#isValue = byte === COLON || (byte !== COMMA && this.#isValue);
    return true;
  }

  /** The list that begins here is that of a bundle: its type says so, or its id where the type comes later. */
  get #isBundle(): boolean {
    if (this.#part !== "whole" || this.#key !== "objects") return false;
    return this.#type === "bundle" || (this.#type === undefined && this.#id?.startsWith("bundle--") === true);
  }

  /** Between the members of a bundle, or at the beginning of one. */
  #inList(chunk: Buffer, at: number, byte: number): void {
    if (this.#part === "first") {
      // An empty list leaves the bundle an object like others.
      this.#part = byte === CLOSE_LIST ? "whole" : "members";
      if (this.#part === "members") this.#begin(at);
      return;
    }
    if (byte === COMMA || byte === CLOSE_LIST) this.#give(chunk, at);
    else if (!this.#holding) this.#begin(at);
    if (byte === CLOSE_LIST) this.#part = "rest";
  }

  #endDocument(chunk: Buffer, at: number): void {
    if (this.#isWhole) this.#give(chunk, at + 1);
    this.#part = "whole";
    this.#type = undefined;
    this.#id = undefined;
    this.#isValue = false;
  }

  #begin(at: number): void {
    this.#drop();
    this.#from = at;
    this.#startLine = this.#line;
  }

  /** The object that is held ends before `at`. */
  #give(chunk: Buffer, at: number): void {
    if (this.#from >= 0) this.#hold(chunk.subarray(this.#from, at));
    // Nothing between two commas is an error of its own line.
    this.#found.push({ line: this.#holding ? this.#startLine : this.#line, bytes: this.#bytes });
    this.#drop();
  }

  /** The object that is held, without the white space behind it; undefined when it is too long. */
  get #bytes(): Buffer | undefined {
    if (this.#length > this.#maxBytes) return undefined;
    const all = Buffer.concat(this.#pieces);
    let end = all.length;
    while (end > 0 && (all[end - 1] ?? 0) <= 0x20) end -= 1;
    return all.subarray(0, end);
  }

  #hold(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#length <= this.#maxBytes || this.#isWhole) this.#pieces.push(piece);
    else this.#pieces = [];
  }

  #drop(): void {
    this.#pieces = [];
    this.#length = 0;
    this.#startLine = 0;
    this.#from = -1;
  }

  #giveBack(chunk: Buffer, at: number): NoDocument {
    if (!this.#holding) return { line: this.#line, bytes: chunk.subarray(at) };
    this.#pieces.push(chunk.subarray(this.#from));
    return { line: this.#startLine, bytes: Buffer.concat(this.#pieces) };
  }
}

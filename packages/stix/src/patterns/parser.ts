/**
 * Recursive-descent parser for STIX patterns (stix.md 3.2): one method per rule of the grammar, one token of
 * look-ahead, bounded in length and in the depth of parentheses.
 */
import { printable } from "../printable.ts";
import type { Result } from "../types.ts";
import type {
  Comparison,
  ComparisonExpression,
  ComparisonOperator,
  Literal,
  LiteralKind,
  ObjectPath,
  Observation,
  ObservationExpression,
  ObservationGroup,
  PathStep,
  PatternAst,
  PatternError,
  PatternOptions,
  Qualifier,
} from "./ast.ts";
import { Lexer, Token } from "./lexer.ts";

const DEFAULT_MAX_DEPTH = 64;
const DEFAULT_MAX_LENGTH = 1024 * 1024;

/** How much of a token a message shows. */
const MAX_SHOWN = 40;

const COLON = 0x3a;
const DOT = 0x2e;
const COMMA = 0x2c;
const OPEN_PAREN = 0x28;
const CLOSE_PAREN = 0x29;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const STAR = 0x2a;

const LITERAL_KINDS: ReadonlyMap<number, LiteralKind> = new Map<number, LiteralKind>([
  [Token.string, "string"],
  [Token.integer, "integer"],
  [Token.negativeInteger, "integer"],
  [Token.float, "float"],
  [Token.negativeFloat, "float"],
  [Token.boolean, "boolean"],
  [Token.timestamp, "timestamp"],
  [Token.hex, "hex"],
  [Token.binary, "binary"],
]);

/**
 * Carries the first mistake out of the recursion; never leaves this file. Not an Error: a stack trace, which nobody
 * would see, costs more than all the parsing.
 */
class PatternRefusal {
  readonly refused: PatternError;
  constructor(refused: PatternError) {
    this.refused = refused;
  }
}

class Parser {
  private readonly lexer: Lexer;
  private readonly existsIsKeyword: boolean;
  private readonly startStopLiteral: number;
  private depthLeft: number;

  constructor(text: string, options: PatternOptions | undefined) {
    this.lexer = new Lexer(text);
    const is20 = options?.version === "2.0";
    this.existsIsKeyword = !is20;
    this.startStopLiteral = is20 ? Token.string : Token.timestamp;
    this.depthLeft = options?.maxDepth ?? DEFAULT_MAX_DEPTH;
  }

  pattern(): PatternAst {
    const pattern = this.followedBy();
    if (this.lexer.kind !== Token.end) this.fail("an operator, a qualifier or the end of the pattern");
    return pattern;
  }

  private fail(expected: string): never {
    const { kind, start } = this.lexer;
    const found = kind === Token.end ? "the end of the pattern" : `'${printable(this.lexer.source(), MAX_SHOWN)}'`;
    const message = `expected ${expected}, found ${found}`;
    throw new PatternRefusal({ position: start, message, stage: "syntax" });
  }

  private expect(kind: number, expected: string): void {
    if (this.lexer.kind !== kind) this.fail(expected);
    this.lexer.next();
  }

  private expectKeyword(word: string): void {
    if (!this.acceptKeyword(word)) this.fail(word);
  }

  private acceptKeyword(word: string): boolean {
    if (!this.lexer.isKeyword(word)) return false;
    this.lexer.next();
    return true;
  }

  /** Takes the opening parenthesis, runs the rule, takes the closing one. */
  private parenthesised<T>(rule: () => T): T {
    if (this.depthLeft <= 0) {
      const position = this.lexer.start;
      throw new PatternRefusal({ position, message: "parentheses are nested too deeply", stage: "limit" });
    }
    this.depthLeft--;
    this.lexer.next();
    const inner = rule();
    this.expect(CLOSE_PAREN, "')'");
    this.depthLeft++;
    return inner;
  }

  private followedBy(): ObservationExpression {
    const first = this.observationOr();
    if (!this.lexer.isKeyword("FOLLOWEDBY")) return first;
    const operands = [first];
    while (this.acceptKeyword("FOLLOWEDBY")) operands.push(this.observationOr());
    return { kind: "observation-chain", operator: "FOLLOWEDBY", operands };
  }

  private observationOr(): ObservationExpression {
    const first = this.observationAnd();
    if (!this.lexer.isKeyword("OR")) return first;
    const operands = [first];
    while (this.acceptKeyword("OR")) operands.push(this.observationAnd());
    return { kind: "observation-chain", operator: "OR", operands };
  }

  private observationAnd(): ObservationExpression {
    const first: ObservationExpression = this.observationUnit();
    if (!this.lexer.isKeyword("AND")) return first;
    const operands: ObservationExpression[] = [first];
    while (this.acceptKeyword("AND")) operands.push(this.observationUnit());
    return { kind: "observation-chain", operator: "AND", operands };
  }

  private observationUnit(): Observation | ObservationGroup {
    const position = this.lexer.start;
    if (this.lexer.kind === OPEN_PAREN) {
      const inner = this.parenthesised(() => this.followedBy());
      return { kind: "observation-group", inner, qualifiers: this.qualifiers() };
    }
    this.expect(OPEN_BRACKET, "'[' or '('");
    const comparison = this.comparisonOr();
    this.expect(CLOSE_BRACKET, "AND, OR or ']'");
    return { kind: "observation", comparison, qualifiers: this.qualifiers(), position };
  }

  private qualifiers(): Qualifier[] {
    const qualifiers: Qualifier[] = [];
    for (;;) {
      const position = this.lexer.start;
      if (this.acceptKeyword("START")) {
        const start = this.literalOf(this.startStopLiteral, "a time");
        this.expectKeyword("STOP");
        qualifiers.push({ kind: "start-stop", start, stop: this.literalOf(this.startStopLiteral, "a time"), position });
      } else if (this.acceptKeyword("WITHIN")) {
        const kind = this.lexer.kind === Token.float ? Token.float : Token.integer;
        qualifiers.push({ kind: "within", seconds: this.literalOf(kind, "a positive number"), position });
        this.expectKeyword("SECONDS");
      } else if (this.acceptKeyword("REPEATS")) {
        qualifiers.push({ kind: "repeats", times: this.literalOf(Token.integer, "a positive integer"), position });
        this.expectKeyword("TIMES");
      } else return qualifiers;
    }
  }

  private comparisonOr(): ComparisonExpression {
    const first = this.comparisonAnd();
    if (!this.lexer.isKeyword("OR")) return first;
    const operands = [first];
    while (this.acceptKeyword("OR")) operands.push(this.comparisonAnd());
    return { kind: "comparison-chain", operator: "OR", operands };
  }

  private comparisonAnd(): ComparisonExpression {
    const first = this.test();
    if (!this.lexer.isKeyword("AND")) return first;
    const operands = [first];
    while (this.acceptKeyword("AND")) operands.push(this.test());
    return { kind: "comparison-chain", operator: "AND", operands };
  }

  private test(): ComparisonExpression {
    if (this.lexer.kind === OPEN_PAREN) {
      return { kind: "comparison-group", inner: this.parenthesised(() => this.comparisonOr()) };
    }
    if (this.existsIsKeyword && this.acceptKeyword("EXISTS")) return { kind: "exists", path: this.path() };
    const path = this.path();
    const negated = this.acceptKeyword("NOT");
    return this.comparison(path, negated);
  }

  private comparison(path: ObjectPath, negated: boolean): Comparison {
    const { kind } = this.lexer;
    if (kind !== Token.equality && kind !== Token.order && kind !== Token.keyword) this.fail("a comparison operator");
    const operator = this.lexer.source() as ComparisonOperator;
    const operands = this.operandsOf(kind, operator);
    return { kind: "comparison", path, negated, operator, operands };
  }

  /** What follows the operator, which is the current token. */
  private operandsOf(kind: number, operator: ComparisonOperator): Literal[] {
    if (kind === Token.equality || kind === Token.order) {
      this.lexer.next();
      if (kind === Token.order && this.lexer.kind === Token.boolean) this.fail("a literal that has an order");
      return [this.literal()];
    }
    switch (operator) {
      case "LIKE":
      case "MATCHES":
      case "ISSUBSET":
      case "ISSUPERSET":
        this.lexer.next();
        return [this.literalOf(Token.string, "a string")];
      case "IN":
        this.lexer.next();
        return this.set();
      default:
        return this.fail("a comparison operator");
    }
  }

  private set(): Literal[] {
    this.expect(OPEN_PAREN, "'('");
    const members: Literal[] = [];
    if (this.lexer.kind !== CLOSE_PAREN) {
      members.push(this.literal());
      while (this.lexer.kind === COMMA) {
        this.lexer.next();
        members.push(this.literal());
      }
    }
    this.expect(CLOSE_PAREN, "',' or ')'");
    return members;
  }

  private literal(): Literal {
    const kind = LITERAL_KINDS.get(this.lexer.kind);
    if (kind === undefined) this.fail("a literal");
    const literal: Literal = { kind, text: this.lexer.source(), position: this.lexer.start };
    this.lexer.next();
    return literal;
  }

  private literalOf(kind: number, expected: string): Literal {
    if (this.lexer.kind !== kind) this.fail(expected);
    return this.literal();
  }

  private isName(): boolean {
    return this.lexer.kind === Token.name || (!this.existsIsKeyword && this.lexer.isKeyword("EXISTS"));
  }

  private path(): ObjectPath {
    const position = this.lexer.start;
    if (!this.isName() && this.lexer.kind !== Token.hyphenatedName) this.fail("an object path");
    const type = this.lexer.source();
    this.lexer.next();
    this.expect(COLON, "':'");
    const steps = [this.namedStep()];
    for (;;) {
      if (this.lexer.kind === DOT) {
        this.lexer.next();
        steps.push(this.namedStep());
      } else if (this.lexer.kind === OPEN_BRACKET) steps.push(this.indexStep());
      else return { type, steps, position };
    }
  }

  private namedStep(): PathStep {
    const isQuoted = this.lexer.kind === Token.string;
    if (!isQuoted && !this.isName()) this.fail("a property name");
    const step: PathStep = {
      kind: isQuoted ? "quoted" : "name",
      text: this.lexer.source(),
      position: this.lexer.start,
    };
    this.lexer.next();
    return step;
  }

  /** A negative index fits the reference's grammar, but crashes it: refused (stix.md 3.2). */
  private indexStep(): PathStep {
    this.lexer.next();
    if (this.lexer.kind !== Token.integer && this.lexer.kind !== STAR) this.fail("an index or '*'");
    const step: PathStep = { kind: "index", text: this.lexer.source(), position: this.lexer.start };
    this.lexer.next();
    this.expect(CLOSE_BRACKET, "']'");
    return step;
  }
}

/** Parses a pattern by the grammar alone, without the checks of `validatePattern`. Never throws. */
export function parsePattern(text: string, options?: PatternOptions): Result<PatternAst, PatternError> {
  const maxLength = options?.maxLength ?? DEFAULT_MAX_LENGTH;
  if (text.length > maxLength) {
    const message = `longer than ${maxLength} characters`;
    return { ok: false, error: { position: maxLength, message, stage: "limit" } };
  }
  try {
    return { ok: true, value: new Parser(text, options).pattern() };
  } catch (error) {
    if (error instanceof PatternRefusal) return { ok: false, error: error.refused };
    throw error;
  }
}

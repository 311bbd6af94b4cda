/** The syntax tree of a STIX pattern (stix.md 3.2). All positions are 0-based offsets in UTF-16 code units. */

export type PatternVersion = "2.0" | "2.1";

/** What refused a pattern: its first character, the grammar, a check on top of it, or a bound of this program. */
export type PatternStage = "brackets" | "syntax" | "hash" | "duplicate-qualifier" | "limit";

/** Why a pattern was refused. */
export interface PatternError {
  /** 0-based offset in UTF-16 code units of the first character that does not fit. */
  readonly position: number;
  readonly message: string;
  readonly stage: PatternStage;
}

export interface PatternOptions {
  /** Grammar; default "2.1". */
  readonly version?: PatternVersion;
  /** Deepest nesting of parentheses; default 64. */
  readonly maxDepth?: number;
  /** Longest pattern in UTF-16 code units; default 1 Mi. */
  readonly maxLength?: number;
}

export type LiteralKind = "integer" | "float" | "string" | "binary" | "hex" | "timestamp" | "boolean";

/** A constant; `text` is its source, quotes and prefixes included. */
export interface Literal {
  readonly kind: LiteralKind;
  readonly text: string;
  readonly position: number;
}

/** One step of an object path after the colon; `text` is its source: a name, a quoted name, an integer or `*`. */
export interface PathStep {
  readonly kind: "name" | "quoted" | "index";
  readonly text: string;
  readonly position: number;
}

export interface ObjectPath {
  readonly type: string;
  readonly steps: readonly PathStep[];
  readonly position: number;
}

export type ComparisonOperator =
  | "="
  | "=="
  | "!="
  | "<>"
  | "<"
  | "<="
  | ">"
  | ">="
  | "IN"
  | "LIKE"
  | "MATCHES"
  | "ISSUBSET"
  | "ISSUPERSET";

export interface Comparison {
  readonly kind: "comparison";
  readonly path: ObjectPath;
  readonly negated: boolean;
  readonly operator: ComparisonOperator;
  /** One literal; any number of them for IN. */
  readonly operands: readonly Literal[];
}

export interface Existence {
  readonly kind: "exists";
  readonly path: ObjectPath;
}

/** Parenthesised comparisons. */
export interface ComparisonGroup {
  readonly kind: "comparison-group";
  readonly inner: ComparisonExpression;
}

/** Two or more operands of the same operator, from left to right. */
export interface ComparisonChain {
  readonly kind: "comparison-chain";
  readonly operator: "AND" | "OR";
  readonly operands: readonly ComparisonExpression[];
}

export type ComparisonExpression = Comparison | Existence | ComparisonGroup | ComparisonChain;

export type Qualifier =
  | { readonly kind: "start-stop"; readonly start: Literal; readonly stop: Literal; readonly position: number }
  | { readonly kind: "within"; readonly seconds: Literal; readonly position: number }
  | { readonly kind: "repeats"; readonly times: Literal; readonly position: number };

/** `[ ... ]` with its qualifiers. */
export interface Observation {
  readonly kind: "observation";
  readonly comparison: ComparisonExpression;
  readonly qualifiers: readonly Qualifier[];
  readonly position: number;
}

/** `( ... )` with its qualifiers. */
export interface ObservationGroup {
  readonly kind: "observation-group";
  readonly inner: ObservationExpression;
  readonly qualifiers: readonly Qualifier[];
}

/** Two or more operands of the same operator, from left to right. */
export interface ObservationChain {
  readonly kind: "observation-chain";
  readonly operator: "AND" | "OR" | "FOLLOWEDBY";
  readonly operands: readonly ObservationExpression[];
}

export type ObservationExpression = Observation | ObservationGroup | ObservationChain;

/** A whole pattern. */
export type PatternAst = ObservationExpression;

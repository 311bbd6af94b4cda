import type { Result } from "../types.ts";
import type { PatternAst, PatternError, PatternOptions } from "./ast.ts";
export function parsePattern(_text: string, _options?: PatternOptions): Result<PatternAst, PatternError> {
  throw new Error("provisional");
}

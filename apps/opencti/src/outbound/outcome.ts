/**
 * What became of an object: `written` to OpenCTI; nothing had to be done because OpenCTI has it already (`known`), it came
 * from there (`own`), it is not there (`gone`) or the configuration says so (`ignored`); `unknown_value`: nothing can be
 * done, as nobody can name the indicator.
 */
export type Outcome = "written" | "known" | "own" | "gone" | "ignored" | "unknown_value";

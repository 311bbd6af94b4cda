/** What is shown in place of a secret. */
export const HIDDEN = "(hidden)";

const SECRET_KEY =
  /pass(?:word|phrase|wd)?$|secret|token|credential|authorization|cookie|api[-_]?key|private[-_]?key|(?:^|[-_.])key$/i;
/** `scheme://user:password@`, greedy because a password may hold an @ itself, and `user:password@` without a scheme. */
const USERINFO = /(:\/\/)\S{1,512}@|(^|[\s/])[^\s:/@]{1,128}:[^\s/@]{1,256}@/g;

/** Whether a setting or log field of this name probably holds a secret; rather too often than too seldom. */
export function looksSecret(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** Hides the user and password of every URL in `text`. */
export function hideUrlCredentials(text: string): string {
  return text.includes("@") ? text.replace(USERINFO, `$1$2${HIDDEN}@`) : text;
}

const MAX_DEPTH = 4;

/**
 * A copy of `fields` without the values of secret-looking keys, for log lines. Instances of classes (errors, buffers)
 * are passed on as they are: loggers have their own way to print them.
 */
export function redactFields(fields: Record<string, unknown>): Record<string, unknown> {
  return redactMap(fields, 0);
}

function redactMap(map: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(map)) {
    copy[key] = looksSecret(key) && value !== undefined ? HIDDEN : redactValue(value, depth + 1);
  }
  return copy;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return hideUrlCredentials(value);
  if (depth > MAX_DEPTH || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  return Object.getPrototypeOf(value) === Object.prototype ? redactMap(value, depth) : value;
}

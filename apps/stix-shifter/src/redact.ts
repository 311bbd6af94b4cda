import { stripVTControlCharacters } from "node:util";
import { hideUrlCredentials, looksSecret, printableSample } from "@threatbus/core";

const HIDDEN = "(hidden)";
/** Shorter ones are found in any text, and hiding them would say what they are. */
const SHORTEST = 4;
const MAX_TEXT = 500;

/**
 * What STIX-Shifter says, without the secrets that it was given, in one line: its first 500 bytes, or its last 500
 * characters. Secrets are hidden before it is cut, as a part of one is no secret that is known.
 */
export type Redact = (text: string, end?: "first" | "last") => string;

/** @param settings every text in `transmission` is secret, and in `connection` what has the name of a secret */
export function redactor(settings: { readonly transmission: unknown; readonly connection: unknown }): Redact {
  const secrets = new Set<string>();
  collect(settings.transmission, true, secrets);
  collect(settings.connection, false, secrets);
  // The longest first: one may be a part of another.
  const ordered = [...secrets].sort((one, other) => other.length - one.length);
  return (text, end = "first") => {
    let hidden = stripVTControlCharacters(text);
    for (const secret of ordered) hidden = hidden.replaceAll(secret, HIDDEN);
    hidden = hideUrlCredentials(hidden);
    return printableSample(end === "last" ? hidden.slice(-MAX_TEXT) : hidden, MAX_TEXT);
  };
}

function collect(value: unknown, isSecret: boolean, into: Set<string>): void {
  if (typeof value === "string") {
    if (!isSecret || value.length < SHORTEST) return;
    into.add(value);
    // As it stands inside JSON text, and inside a URL.
    into.add(JSON.stringify(value).slice(1, -1));
    if (value.isWellFormed()) into.add(encodeURIComponent(value));
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, member] of Object.entries(value)) collect(member, isSecret || looksSecret(key), into);
}

/** Options and arguments that several commands take. */
import { InvalidArgumentError, Option } from "commander";

export const configOption = () =>
  new Option("-c, --config <file>", "configuration file; without it ./config.yaml, else the built-in defaults");

export function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0 && value <= 86_400) return value;
  throw new InvalidArgumentError("Expected seconds from above 0 to 86400.");
}

export function positiveInteger(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 1.");
}

export function wholeNumber(text: string): number {
  return text === "0" ? 0 : positiveInteger(text);
}

export function portNumber(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= 65_535) return value;
  throw new InvalidArgumentError("Expected a port from 1 to 65535.");
}

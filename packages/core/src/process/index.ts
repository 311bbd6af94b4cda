/** What every program of Threat Bus has in common: exit codes, what an error says to a person, signals. */
export { CommandError, EXIT, explain } from "./exit.ts";
export { dieOfUnhandled, firstSignal } from "./signals.ts";

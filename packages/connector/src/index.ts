/** What every connector has in common: configuration, log, health, metrics, life cycle, and the way to the bus. */
export { type Command, type CommandEnd, CommandFailed, type CommandOptions, startCommand } from "./command.ts";
export type { ConnectorCommand, ConnectorContext, ConnectorDefinition } from "./definition.ts";
export { writeFileAtomically } from "./files.ts";
export type { Health } from "./health.ts";
export { counter, gauge } from "./metrics.ts";
export { type SharedSettings, sharedSettings } from "./options.ts";
export { PositionGate } from "./position-gate.ts";
export { runProgram } from "./program.ts";
export { makeSighting, nameBasedUuid, type SightingParts } from "./sighting.ts";

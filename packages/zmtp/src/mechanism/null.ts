import type { Command } from "../wire/command.ts";
import { encodeCommand } from "../wire/command.ts";
import { decodeMetadata } from "../wire/metadata.ts";
import { protocol, refusal } from "../wire/violation.ts";
import type { Handshake, HandshakeContext, HandshakeStep, Mechanism } from "./mechanism.ts";

/** No security (ZMTP 3.1, "The NULL Security Mechanism"): each side sends READY at once and is ready when it has the other's. */
export const nullMechanism: Mechanism = {
  name: "NULL",
  asServer: false,
  begin: (context) => new NullHandshake(context),
};

class NullHandshake implements Handshake {
  readonly #context: HandshakeContext;

  constructor(context: HandshakeContext) {
    this.#context = context;
  }

  start(): HandshakeStep {
    return { send: [encodeCommand("READY", this.#context.metadata)], metadata: undefined };
  }

  receive(command: Command): HandshakeStep {
    if (command.name === "ERROR") throw refusal("refused-by-peer");
    if (command.name !== "READY") throw protocol("unexpected-command");
    return { send: [], metadata: decodeMetadata(command.data) };
  }
}

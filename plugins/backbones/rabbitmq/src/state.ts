import type { BackboneState } from "@threatbus/core";
import type { LinkState } from "./link.ts";
import type { Endpoint } from "./options.ts";

/** What both connections together mean for a person. */
export function stateOf(delivering: LinkState, publishing: LinkState, queue: string): BackboneState {
  for (const state of [delivering, publishing]) {
    switch (state.kind) {
      case "connecting":
        return { ok: false, text: "connecting" };
      case "stopped":
        return { ok: false, text: "stopped" };
      case "lost":
        return { ok: false, text: `no connection to ${address(state.endpoint)}: ${state.reason}` };
      case "blocked":
        return { ok: false, text: `${address(state.endpoint)} takes no messages: ${state.reason}` };
      case "connected":
    }
  }
  const where = "endpoint" in delivering ? address(delivering.endpoint) : "";
  return { ok: true, text: `connected to ${where}, queue ${queue}` };
}

function address({ host, port }: Endpoint): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

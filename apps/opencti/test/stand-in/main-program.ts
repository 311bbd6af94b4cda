/**
 * The stand-in for OpenCTI as a process of its own, which may be killed and started again with the same state:
 *
 *   node main-program.ts STATE-FILE PORT TOKEN
 *
 * It writes `ready: http://127.0.0.1:PORT` when it listens. It is told what to do over HTTP: `POST /control/emit` with an
 * event (stand-in/state.ts), `POST /control/faults` and `/control/graphql-faults` with members to set, and
 * `GET /control/state`, which answers with everything it has.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createGraphql } from "./graphql.ts";
import { OpenctiStandIn } from "./server.ts";
import { type NewEvent, OpenctiState } from "./state.ts";

const [file = "", port = "0", token = ""] = process.argv.slice(2);
if (token === "") throw new Error("node main-program.ts STATE-FILE PORT TOKEN");

const state = new OpenctiState();
try {
  state.load(JSON.parse(readFileSync(file, "utf8")) as Parameters<OpenctiState["load"]>[0]);
} catch {
  state.addUser(token);
}
const save = (): void => {
  writeFileSync(`${file}.new`, JSON.stringify(state));
  renameSync(`${file}.new`, file);
};
state.onEvent(save);
save();

const graphql = createGraphql(state);
const opencti = new OpenctiStandIn({
  state,
  graphql: () => graphql.handler,
  extra: (request, response, url, body) => {
    if (!url.pathname.startsWith("/control/")) return false;
    control(`${request.method} ${url.pathname}`, body, response);
    return true;
  },
});
await opencti.listen(Number(port));
process.stdout.write(`ready: ${opencti.url}\n`);

function control(what: string, body: string, response: ServerResponse): void {
  const given = body === "" ? {} : JSON.parse(body);
  const answer = (value: unknown) =>
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
  if (what === "POST /control/emit") answer(state.emit(given as NewEvent));
  else if (what === "POST /control/faults") answer(Object.assign(opencti.faults, given));
  else if (what === "POST /control/graphql-faults") answer(Object.assign(graphql.faults, given));
  else if (what === "GET /control/state") answer({ ...state.toJSON(), invalid: graphql.invalid });
  else response.writeHead(404).end();
}

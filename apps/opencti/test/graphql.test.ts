import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { Agent } from "undici";
import { type FailureKind, OpenctiError } from "../src/graphql/errors.ts";
import { GraphqlClient, HttpTransport, OpenctiApi } from "../src/graphql/index.ts";
import { startSite, TOKEN } from "./graphql-support.ts";

/** The table of spec/opencti.md 2.1. */
const CODES: readonly (readonly [string, FailureKind])[] = [
  ["AUTH_REQUIRED", "credentials"],
  ["AUTH_FAILURE", "credentials"],
  ["OTP_REQUIRED", "credentials"],
  ["FORBIDDEN_ACCESS", "forbidden"],
  ["INSUFFICIENT_CONFIDENCE_LEVEL", "refused"],
  ["FUNCTIONAL_ERROR", "refused"],
  ["VALIDATION_ERROR", "ours"],
  ["UNSUPPORTED_ERROR", "ours"],
  ["MISSING_REFERENCE_ERROR", "missing-reference"],
  ["ALREADY_DELETED_ERROR", "already-deleted"],
  ["LOCK_ERROR", "busy"],
  ["DATABASE_ERROR", "busy"],
];

/** An api on a server of the test's own, which is none of GraphQL. */
async function against(t: TestContext, listener: RequestListener, maxReplyBytes = 10_000): Promise<OpenctiApi> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const dispatcher = new Agent();
  t.after(async () => {
    await dispatcher.destroy();
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = new HttpTransport({ url, token: TOKEN, dispatcher, timeout: 20_000, maxReplyBytes });
  return new OpenctiApi(new GraphqlClient(transport, { attempts: 1 }));
}

const never = new AbortController().signal;

async function failureOf(call: Promise<unknown>): Promise<OpenctiError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof OpenctiError, String(error));
    return error;
  }
  return assert.fail("it did not fail");
}

describe("errors of replies", () => {
  for (const shape of ["5", "6"] as const) {
    for (const [code, kind] of CODES) {
      test(`${code} as ${shape}.x writes it`, async (t) => {
        const { api, faults, signal } = await startSite(t);
        faults.shape = shape;
        faults.errors = [{ code, times: 1 }];
        const error = await failureOf(api.version(signal));
        assert.deepEqual([error.kind, error.code], [kind, code]);
      });
    }
  }

  test("the code of the documentation says more than that of the class", async (t) => {
    const { api, faults, signal } = await startSite(t);
    faults.errors = [{ code: "FUNCTIONAL_ERROR", times: 1, docCode: "INDICATOR_PATTERN_EXCLUDED" }];
    const error = await failureOf(api.version(signal));
    assert.deepEqual([error.kind, error.reason], ["refused", "indicator_pattern_excluded"]);
  });

  test("a capability that is missing is named", async (t) => {
    const { api, signal } = await startSite(t, { capabilities: ["KNOWLEDGE"] });
    const error = await failureOf(api.addLabel("c2", signal));
    assert.equal(error.kind, "forbidden");
    assert.match(error.message, /needs KNOWLEDGE_KNUPDATE/);
  });

  test("a token that turns invalid in flight", async (t) => {
    const { api, faults, state, signal } = await startSite(t);
    await api.version(signal);
    faults.onCall = () => void state.users.splice(0);
    assert.equal((await failureOf(api.version(signal))).kind, "credentials");
  });

  test("of several errors the one that keeps the object counts", async (t) => {
    const errors = ["FUNCTIONAL_ERROR", "DATABASE_ERROR"].map((code) => ({ message: code, extensions: { code } }));
    const api = await against(t, (_, response) => void response.end(JSON.stringify({ data: null, errors })));
    assert.equal((await failureOf(api.version(never))).code, "DATABASE_ERROR");
  });

  for (const [status, kind] of [
    [401, "credentials"],
    [403, "forbidden"],
    [404, "missing-reference"],
    [400, "refused"],
    [500, "busy"],
    [undefined, "refused"],
  ] as const) {
    test(`an unknown code with status ${status}`, async (t) => {
      const errors = [{ message: "new", extensions: { code: "NEW_ERROR", data: { http_status: status } } }];
      const api = await against(t, (_, response) => void response.end(JSON.stringify({ data: null, errors })));
      const error = await failureOf(api.version(never));
      assert.deepEqual([error.kind, error.code], [kind, "NEW_ERROR"]);
    });
  }
});

describe("replies that are none", () => {
  const page = "<html>not here</html>";
  const cases: readonly (readonly [number, string, string, FailureKind])[] = [
    [502, "text/html", page, "unreachable"],
    [503, "application/json", '{"message":"upstream"}', "unreachable"],
    [429, "application/json", "{}", "unreachable"],
    [404, "text/html", page, "unreachable"],
    [200, "text/html", page, "unreachable"],
    [301, "text/html", "", "unreachable"],
    [401, "text/html", page, "credentials"],
    [403, "text/html", page, "unreachable"],
    [413, "text/html", page, "refused"],
    [400, "application/json", '{"errors":[{"message":"Cannot query field \\"x\\""}]}', "ours"],
    [200, "application/json", '{"data":{"about":{"version":7}}}', "ours"],
    [200, "application/json", '{"data":null}', "ours"],
    [200, "application/json", '{"data":', "unreachable"],
  ];
  for (const [status, type, body, kind] of cases) {
    test(`${status} ${type} ${body.slice(0, 30)}`, async (t) => {
      const api = await against(
        t,
        (_, response) => void response.writeHead(status, { "content-type": type }).end(body),
      );
      assert.equal((await failureOf(api.version(never))).kind, kind);
    });
  }

  test("a connection that is refused", async (t) => {
    const site = await startSite(t);
    await site.server.close();
    assert.equal((await failureOf(site.api.version(site.signal))).code, "NO_ANSWER");
  });

  test("no reply in time", async (t) => {
    const { api, faults, signal } = await startSite(t, { timeout: 50 });
    faults.mute = "about";
    const error = await failureOf(api.version(signal));
    assert.deepEqual([error.kind, error.code], ["unreachable", "NO_ANSWER"]);
    assert.match(error.message, /none within 0.05 s/);
  });

  test("a reply that is too large is not read to its end", async (t) => {
    let written = 0;
    const api = await against(t, (_, response) => {
      const more = (): void => {
        while (!response.destroyed && written < 2 ** 30) {
          written += 65_536;
          if (!response.write("x".repeat(65_536))) return void response.once("drain", more);
        }
      };
      more();
    });
    const error = await failureOf(api.version(never));
    assert.deepEqual([error.kind, error.code], ["refused", "REPLY_TOO_LARGE"]);
    assert.ok(written < 2 ** 28, `${written} bytes were written`);
  });

  test("a caller that gives up", async (t) => {
    const { api, faults } = await startSite(t);
    const caller = new AbortController();
    const reason = new Error("enough");
    faults.mute = "about";
    faults.onCall = () => caller.abort(reason);
    await assert.rejects(api.version(caller.signal), reason);
  });
});

describe("calls that are tried again", () => {
  test("what passes is tried until it works", async (t) => {
    const { api, faults, calls, signal } = await startSite(t, { retry: { attempts: 4 } });
    faults.badGateway = 1;
    faults.errors = [{ code: "LOCK_ERROR", times: 2 }];
    assert.equal(await api.version(signal), "6.8.10");
    assert.equal(calls.length, 1);
  });

  test("but not for ever", async (t) => {
    const { api, faults, signal } = await startSite(t, { retry: { attempts: 3 } });
    faults.errors = [{ code: "DATABASE_ERROR", times: 10 }];
    assert.equal((await failureOf(api.version(signal))).code, "DATABASE_ERROR");
    assert.equal(faults.errors[0]?.times, 7);
  });

  test("and not what never works", async (t) => {
    const { api, faults, signal } = await startSite(t, { retry: { attempts: 3 } });
    faults.errors = [{ code: "FUNCTIONAL_ERROR", times: 10 }];
    await failureOf(api.version(signal));
    assert.equal(faults.errors[0]?.times, 9);
  });
});

test("no error shows the token", async (t) => {
  const { api, faults, signal } = await startSite(t);
  faults.badGateway = 1;
  const first = await failureOf(api.version(signal));
  faults.errors = [{ code: "AUTH_REQUIRED", times: 1 }];
  const second = await failureOf(api.version(signal));
  for (const error of [first, second]) assert.doesNotMatch(`${error.message} ${error.stack}`, new RegExp(TOKEN));
});

test("a base address with a path, and a slash at its end", async (t) => {
  const { api, signal } = await startSite(t, { base: "/opencti" });
  assert.equal(await api.version(signal), "6.8.10");
});

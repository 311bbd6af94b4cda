import { spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../contracts/logger.ts";
import { messageOf } from "../errors.ts";

/** Milliseconds that the end of the program waits for the helper. */
const LAST_WORD = 2_000;

/** What a supervisor is told (sd_notify(3)). */
export type SupervisorState = "READY=1" | "STOPPING=1";

export interface NotifyOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Longest time the helper may take, in milliseconds; default 5 s. */
  readonly timeoutMs?: number;
}

/**
 * Tells systemd, when it asks for it with NOTIFY_SOCKET, that the bus is ready or stopping. Node.js has no datagram
 * sockets of the Unix domain, so `systemd-notify`, a part of systemd, sends the message; being a process of its own it
 * needs `NotifyAccess=all` in the unit. Never rejects: a supervisor that cannot be told is a warning.
 * @returns whether the message was sent.
 */
export async function notifySupervisor(state: SupervisorState, options: NotifyOptions): Promise<boolean> {
  const { env, logger } = options;
  if ((env.NOTIFY_SOCKET ?? "") === "") return false;
  try {
    await runHelper(state, options);
    return true;
  } catch (thrown) {
    logger.warn({ state, cause: messageOf(thrown) }, "systemd could not be notified; is systemd-notify on the PATH?");
    return false;
  }
}

/** Tells a supervisor one state after the other, and nothing waits for it but the end of the program. */
export class Supervisor {
  readonly #options: NotifyOptions;
  #told: Promise<unknown> = Promise.resolve();

  constructor(options: NotifyOptions) {
    this.#options = options;
  }

  tell(state: SupervisorState): void {
    this.#told = this.#told.then(() => notifySupervisor(state, this.#options));
  }

  /**
   * Resolves when everything was told: a program that exits before that takes its last word with it. A helper that hangs
   * holds it up for two seconds. Never rejects.
   */
  async told(): Promise<void> {
    await Promise.race([this.#told, delay(LAST_WORD, undefined, { ref: false })]);
  }
}

function runHelper(state: SupervisorState, options: NotifyOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const { PATH, NOTIFY_SOCKET } = options.env;
    const helper = spawn("systemd-notify", [state], { env: { PATH, NOTIFY_SOCKET }, stdio: "ignore" });
    const timer = setTimeout(() => helper.kill("SIGKILL"), options.timeoutMs ?? 5_000);
    helper.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    helper.once("exit", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`systemd-notify ended with ${signal ?? `code ${code}`}`));
    });
  });
}

/**
 * Every error that ends a command or reaches a person, under a stable code. docs/errors.md is made from this table;
 * a code is never reused for something else.
 */
export const ERRORS = {
  TB_CONFIG_INVALID: {
    summary: "The configuration has errors; all of them are listed.",
    hint: "Correct the listed settings, then check the file with `threatbus check-config`.",
    exitCode: 78,
    retryable: false,
  },
  TB_CONFIG_UNREADABLE: {
    summary: "The configuration file cannot be read, is too large, or is not YAML.",
    hint: "Check the path given with -c, the file's permissions and its syntax.",
    exitCode: 78,
    retryable: false,
  },
  TB_PLUGIN_NOT_INSTALLED: {
    summary: "A configured plugin is neither built in nor installed as a package.",
    hint: "Install the named package beside Threat Bus, or remove the plugin from the configuration.",
    exitCode: 78,
    retryable: false,
  },
  TB_PLUGIN_INVALID: {
    summary: "A plugin's module does not export a plugin definition of the kind it is configured as.",
    hint: "Check that the package is a Threat Bus plugin, and whether it belongs under plugins.apps or plugins.backbones.",
    exitCode: 78,
    retryable: false,
  },
  TB_PLUGIN_LOAD_FAILED: {
    summary: "A plugin is installed, but its module cannot be imported.",
    hint: "Reinstall the plugin and look at the cause: often one of its own dependencies is missing.",
    exitCode: 78,
    retryable: false,
  },
  TB_PLUGIN_FAILED: {
    summary: "A plugin failed while it was starting; the rest of the bus runs without it.",
    hint: "The cause says what went wrong; correct the plugin's settings and restart.",
    exitCode: 1,
    retryable: true,
  },
  TB_BACKBONE_FAILED: {
    summary: "The only backbone failed while it was starting, so that no message could move.",
    hint: "The cause says what went wrong; correct the backbone's settings and restart.",
    exitCode: 1,
    retryable: true,
  },
  TB_NO_LOG: {
    summary: "A subscription asks to begin at a position or time of the durable log, and there is none.",
    hint: "Turn the log on (`store` in the configuration), or subscribe without `from`.",
    exitCode: 1,
    retryable: false,
  },
  TB_PORT_IN_USE: {
    summary: "A port that Threat Bus listens on is taken by another program.",
    hint: "Stop the other program, or choose another port in the named setting (0 takes any free port).",
    exitCode: 1,
    retryable: true,
  },
  TB_PORT_FORBIDDEN: {
    summary: "The operating system does not allow Threat Bus to listen on a port.",
    hint: "Choose a port above 1023 in the named setting, or grant the process the right to use it.",
    exitCode: 1,
    retryable: false,
  },
  TB_ADDRESS_UNAVAILABLE: {
    summary: "The address to listen on does not belong to this machine.",
    hint: "Set the host to an address of this machine: 127.0.0.1 for local apps, 0.0.0.0 for all interfaces.",
    exitCode: 1,
    retryable: true,
  },
  TB_LOG_FILE: {
    summary: "The log file cannot be opened for writing.",
    hint: "Check the directory and the permissions of logging.filename, or set logging.file to false.",
    exitCode: 1,
    retryable: true,
  },
} as const satisfies Record<string, ErrorEntry>;

/** One row of the catalogue. `exitCode` follows sysexits.h where it has a code: 78 is EX_CONFIG. */
export interface ErrorEntry {
  readonly summary: string;
  readonly hint: string;
  readonly exitCode: number;
  readonly retryable: boolean;
}

export type ErrorCode = keyof typeof ERRORS;

export interface ThreatBusErrorOptions {
  /** What to do about it, where the catalogue's hint can be made more exact. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** An error that says what happened, to what, and what to do; `retryable` says whether trying again can help. */
export class ThreatBusError extends Error {
  override readonly name = "ThreatBusError";
  readonly code: ErrorCode;
  readonly hint: string;
  readonly exitCode: number;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: ThreatBusErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const entry = ERRORS[code];
    this.code = code;
    this.hint = options.hint ?? entry.hint;
    this.exitCode = entry.exitCode;
    this.retryable = entry.retryable;
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The code of an operating system error (`ENOENT`, `EADDRINUSE`), where `thrown` has one. */
export function systemCodeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}

/** The two settings behind an address that is listened on. */
type ListenSetting = "host" | "port";

/** Failures of listening by their system code, and which setting is to be changed. */
const LISTEN_ERRORS: Readonly<Record<string, { code: ErrorCode; setting: ListenSetting; text: string }>> = {
  EADDRINUSE: { code: "TB_PORT_IN_USE", setting: "port", text: "is in use by another program" },
  EACCES: { code: "TB_PORT_FORBIDDEN", setting: "port", text: "may not be used by this process" },
  EADDRNOTAVAIL: { code: "TB_ADDRESS_UNAVAILABLE", setting: "host", text: "is not an address of this machine" },
  EAFNOSUPPORT: {
    code: "TB_ADDRESS_UNAVAILABLE",
    setting: "host",
    text: "is no kind of address that this machine has",
  },
  ENOTFOUND: { code: "TB_ADDRESS_UNAVAILABLE", setting: "host", text: "is not known to the name service" },
  EAI_AGAIN: {
    code: "TB_ADDRESS_UNAVAILABLE",
    setting: "host",
    text: "cannot be looked up: the name service is silent",
  },
};

/**
 * Turns the failure of a `listen` into one sentence that names what is wrong, the port or the host, and its setting.
 * @param settings full configuration paths, such as `plugins.apps.zmq.host` and `plugins.apps.zmq.pub`.
 * @returns `undefined` when `cause` is not an error of listening.
 */
export function listenError(
  cause: unknown,
  target: {
    readonly host: string;
    readonly port: number;
    readonly settings: Readonly<Record<ListenSetting, string>>;
  },
): ThreatBusError | undefined {
  const known = LISTEN_ERRORS[systemCodeOf(cause) ?? ""];
  if (known === undefined) return undefined;
  const subject = known.setting === "host" ? target.host : `${target.host} port ${target.port}`;
  const message = `${subject} (setting ${target.settings[known.setting]}) ${known.text}`;
  return new ThreatBusError(known.code, message, { cause });
}

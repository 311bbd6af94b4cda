/** The Python environments of the tests and benchmarks: what is in them and where they lie. */
import { fileURLToPath } from "node:url";

/** Root of the checkout, with a trailing slash removed. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

const requirements = `${root}/test/interop/python`;

export interface Environment {
  readonly name: "peers" | "stix" | "stix-shifter" | "tenzir" | "servers";
  /** What it is for, in words. */
  readonly purpose: string;
  /** Folder of the virtual environment; its programs lie in `bin`. */
  readonly folder: string;
  /** What builds those requirements that are published as source only; undefined: all are published built. */
  readonly buildRequirements: string | undefined;
  readonly requirements: string;
}

/**
 * Peers and stix are two, because threatbus 2022.5.16 pins an old major version of stix2-patterns: the one cannot be
 * installed beside the other, and both its speed and the newer checks are wanted. Tenzir is a large download (175 MB)
 * that only the tests of its connector need.
 */
export const environments: readonly Environment[] = [
  {
    name: "peers",
    purpose: "Python Threat Bus 2022.5.16, suricata-threatbus, vast-threatbus and pyzmq",
    folder: `${root}/build/python/peers`,
    buildRequirements: `${requirements}/requirements-build.txt`,
    requirements: `${requirements}/requirements-peers.txt`,
  },
  {
    name: "stix",
    purpose: "python-stix2 3.0, stix2-patterns 2 and zeekscript",
    folder: `${root}/build/python/stix`,
    buildRequirements: `${requirements}/requirements-build.txt`,
    requirements: `${requirements}/requirements-stix.txt`,
  },
  {
    name: "stix-shifter",
    purpose: "STIX-Shifter 8 with its modules for STIX bundles and Splunk",
    folder: `${root}/build/python/stix-shifter`,
    buildRequirements: undefined,
    requirements: `${requirements}/requirements-stix-shifter.txt`,
  },
  {
    name: "tenzir",
    purpose: "Tenzir 6.20, the program",
    folder: `${root}/build/python/tenzir`,
    buildRequirements: undefined,
    requirements: `${root}/apps/vast/test/requirements-tenzir.txt`,
  },
  {
    name: "servers",
    purpose: "a current nats-server, beside Debian's",
    folder: `${root}/build/python/servers`,
    buildRequirements: undefined,
    requirements: `${requirements}/requirements-servers.txt`,
  },
];

/** The file that says that an environment is complete, and of what it was made. */
export function stampFile(environment: Environment): string {
  return `${environment.folder}/complete.txt`;
}

/** A current nats-server out of a Python package: Debian 12 has 2.9. */
import { environments } from "../../../../scripts/python/environments.ts";
import { ensurePython } from "../../../../scripts/python/install.ts";
import { reasonToSkip } from "../../../../scripts/services/for-tests.ts";

/** The program. */
export const CURRENT = `${environments.find(({ name }) => name === "servers")?.folder}/bin/nats-server`;

/** Why it cannot be had here. @throws under CI */
export const currentMissing = (): Promise<string | undefined> => reasonToSkip(() => ensurePython(() => undefined));

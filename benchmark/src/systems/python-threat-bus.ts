/** The real Python Threat Bus 2022.5.16 with its in-memory backbone, from its Python environment. */
import { mkdir, writeFile } from "node:fs/promises";
import { Child } from "../../../scripts/child.ts";
import { environments, root } from "../../../scripts/python/environments.ts";
import { ensurePython } from "../../../scripts/python/install.ts";
import { answering } from "./answering.ts";
import { freePorts } from "./ports.ts";
import type { System } from "./system.ts";

export async function startPythonThreatBus(say: (line: string) => void): Promise<System> {
  await ensurePython(say);
  const programs = environments.find(({ name }) => name === "peers")?.folder;
  const folder = `${root}/build/bench`;
  await mkdir(folder, { recursive: true });
  const manage = await freePorts();
  const config = {
    logging: { console: true, console_verbosity: "WARNING", file: false, file_verbosity: "WARNING", filename: "none" },
    plugins: {
      backbones: { inmem: {} },
      apps: { zmq: { host: "127.0.0.1", manage, pub: manage + 1, sub: manage + 2 } },
    },
  };
  const file = `${folder}/python-threatbus.yaml`;
  await writeFile(file, JSON.stringify(config));
  const child = new Child(`${programs}/bin/threatbus`, ["-c", file], { cwd: folder });
  await answering(child, manage);
  return { name: "Python Threat Bus", managePort: manage, child };
}

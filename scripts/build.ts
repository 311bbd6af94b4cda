/**
 * Makes the packages that are published, as folders under build/packages that `npm pack` takes as they are.
 *
 *   node scripts/build.ts
 *
 * Node does not strip types below node_modules, so that what is published is JavaScript with declarations. The folders
 * keep the layout of the sources; only `.ts` becomes `.js`.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/** What is read of a package.json; everything else is copied. */
interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly devDependencies?: unknown;
}

const ROOT = resolve(import.meta.dirname, "..");
const OUT = join(ROOT, "build/out");
const PACKAGES = join(ROOT, "build/packages");
/** The folders of a package that hold programs and their data. */
const CONTENT = "{src,bin,demo}";

rmSync(OUT, { recursive: true, force: true });
rmSync(PACKAGES, { recursive: true, force: true });
const compiler = join(ROOT, "node_modules/.bin/tsc");
const { status } = spawnSync(compiler, ["-p", "tsconfig.build.json"], { cwd: ROOT, stdio: "inherit" });
if (status === 0) {
  for await (const file of glob(["packages/*/package.json", "plugins/*/*/package.json", "apps/*/package.json"], {
    cwd: ROOT,
  })) {
    const manifest = JSON.parse(readFileSync(join(ROOT, file), "utf8")) as Manifest;
    if (manifest.private !== true) await assemble(dirname(file), manifest);
  }
} else {
  process.exitCode = 1;
}

/** Puts one package together. @param source its folder, relative to the project. */
async function assemble(source: string, manifest: Manifest): Promise<void> {
  const target = join(PACKAGES, manifest.name.replace(/^@threatbus\//, ""));
  mkdirSync(target, { recursive: true });
  for await (const file of glob(`${CONTENT}/**/*`, { cwd: join(OUT, source) })) {
    if (/\.(js|d\.ts)$/.test(file)) cpSync(join(OUT, source, file), join(target, file));
  }
  for await (const file of glob(`${CONTENT}/**/*.*`, { cwd: join(ROOT, source) })) {
    if (!file.endsWith(".ts")) cpSync(join(ROOT, source, file), join(target, file));
  }
  // What a connector is run with.
  for await (const file of glob("{*.service,Containerfile,config.example.yaml}", { cwd: join(ROOT, source) })) {
    cpSync(join(ROOT, source, file), join(target, file));
  }
  // What the demo needs for a real Zeek.
  if (manifest.name === "threatbus")
    cpSync(join(ROOT, "apps/zeek/threatbus.zeek"), join(target, "demo/threatbus.zeek"));
  // What threatbus-new-connector copies.
  if (manifest.name === "@threatbus/connector")
    cpSync(join(ROOT, "apps/template"), join(target, "template"), { recursive: true });
  cpSync(join(ROOT, source, "README.md"), join(target, "README.md"));
  cpSync(join(ROOT, "LICENSE"), join(target, "LICENSE"));
  writeFileSync(join(target, "package.json"), `${JSON.stringify(published(manifest), null, 2)}\n`);
}

/** The manifest as it is published: compiled entry points, the Node that runs them, nothing of development. */
function published(manifest: Manifest): object {
  const { devDependencies: _, ...rest } = manifest;
  const exports = Object.entries(manifest.exports).map(([name, file]) => [
    name,
    { types: file.replace(/\.ts$/, ".d.ts"), default: compiled(file) },
  ]);
  const bin = Object.entries(manifest.bin ?? {}).map(([name, file]) => [name, compiled(file)]);
  return {
    ...rest,
    ...(bin.length === 0 ? {} : { bin: Object.fromEntries(bin) }),
    exports: Object.fromEntries(exports),
    engines: { node: ">=24" },
  };
}

function compiled(file: string): string {
  return file.replace(/\.ts$/, ".js");
}

#!/usr/bin/env node
import module from "node:module";

// Before anything else is imported, so that the next start finds everything compiled.
module.enableCompileCache?.();
const { main } = await import("../src/main.ts");
await main(process.argv.slice(2));

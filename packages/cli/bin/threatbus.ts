#!/usr/bin/env -S MALLOC_ARENA_MAX=2 node --max-semi-space-size=16
// Young objects get 2 x 16 MiB: by default V8 gives a bus under load more and more, up to 128 MiB, and is no faster for it.
// So with the memory that glibc keeps for each thread: the log has several, and two arenas save some 30 MiB.
import module from "node:module";

// Before anything else is imported, so that the next start finds everything compiled.
module.enableCompileCache?.();
const { main } = await import("../src/main.ts");
await main(process.argv.slice(2));

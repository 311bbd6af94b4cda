/** The `threatbus` command. Run it through bin/threatbus.ts. */
export { builtins } from "./builtins.ts";
export { main } from "./main.ts";
export { createProgram } from "./program.ts";

#!/usr/bin/env node
import { createConnector } from "../src/new-connector.ts";

const [name] = process.argv.slice(2);
if (process.argv.length !== 3 || name === undefined || name.startsWith("-")) {
  process.stderr.write(
    "usage: threatbus-new-connector NAME, in lower-case letters and digits: acme makes threatbus-acme\n",
  );
  process.exitCode = 2;
} else {
  try {
    process.stdout.write(`${createConnector(name, process.cwd())} is a new connector\n`);
  } catch (error) {
    process.stderr.write(`threatbus-new-connector: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

#!/usr/bin/env node
import { runProgram } from "@threatbus/connector";
import { connector } from "../src/connector.ts";

await runProgram(connector);

/** A program without any socket: its bus is all that keeps it, and its one app never ends its first step of stopping. */
import { Registry } from "prom-client";
import { ThreatBus } from "../../src/lifecycle/bus.ts";
import { recordingLogger } from "../observe-fixtures.ts";
import { configOf, TestApp, TestBackbone } from "./fixtures.ts";

const app = new TestApp("app", [], { stopIntake: () => new Promise<never>(() => undefined) });
const config = configOf({ apps: { app }, backbones: { inner: new TestBackbone("inner", []) }, drainTimeout: 50 });
const bus = new ThreatBus({ config, logger: recordingLogger().logger, metrics: new Registry() });
await bus.start();
await bus.stop();
process.stdout.write("stopped\n");

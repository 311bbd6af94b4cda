/** For the tests of Threat Bus: conformance suites, fakes, samples and ways to wait. */
export { anyConfig } from "./any-config.ts";
export { acceptOnce } from "./backbone/instance.ts";
export {
  type BackboneTarget,
  type Broker,
  CAPABILITIES,
  type Capability,
  IN_PROCESS,
  type Site,
} from "./backbone/target.ts";
export { backboneConformance } from "./backbone-conformance.ts";
export { type LogLine, RecordingLogger } from "./logger.ts";
export { type MemoryBackboneConfig, memoryBackbone } from "./memory-broker/backbone.ts";
export { type BrokerLink, ConnectionLost, type Faults, MemoryBroker } from "./memory-broker/broker.ts";
export { type ServedBroker, serveBroker } from "./memory-broker/remote.ts";
export { remoteBackbone } from "./memory-broker/remote-backbone.ts";
export { Recorder } from "./recorder.ts";
export { type IndicatorOptions, indicator, indicatorOfSize, numberedIndicator, sighting } from "./samples.ts";
export { type Side, startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";
export { collect, eventually } from "./waiting.ts";

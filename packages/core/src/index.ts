export { describeCore, describeSchema, type SettingRow, settingsTable } from "./config/describe.ts";
export { type ConfigIssue, formatIssue } from "./config/issues.ts";
export { type ConfigResult, type LoadConfigOptions, loadConfig } from "./config/load.ts";
export {
  type Config,
  type ConfiguredPlugin,
  type LoggingConfig,
  loggingSchema,
  type StoreConfig,
  VERBOSITIES,
  type Verbosity,
} from "./config/schema.ts";
export { type LoadSettingsOptions, loadSettings, type SettingsResult } from "./config/settings.ts";
export { suggest } from "./config/suggest.ts";
export { duration, parseDuration, parseSize, port, size } from "./config/values.ts";
export {
  type AppContext,
  type AppPlugin,
  type AppPluginDefinition,
  type BoundAddress,
  type OutqOptions,
  OVERFLOW_POLICIES,
  type OverflowPolicy,
} from "./contracts/app-plugin.ts";
export type {
  BackboneContext,
  BackbonePlugin,
  BackbonePluginDefinition,
  BackboneState,
} from "./contracts/backbone-plugin.ts";
export type {
  Appended,
  DurableLog,
  LogBatch,
  LoggedId,
  LogRecord,
  LogState,
  ObjectState,
  OpenLog,
  Outbox,
  ReceiptMark,
  ReceiptSubscription,
  Receipts,
  StartPosition,
} from "./contracts/log.ts";
export type { Logger } from "./contracts/logger.ts";
export {
  type IndicatorMessage,
  MESSAGE_TYPES,
  type Message,
  type MessageFactory,
  type MessageType,
  type SightingMessage,
  type SnapshotEnvelopeMessage,
  type SnapshotRequestMessage,
  type StixMessage,
  TOPICS,
} from "./contracts/message.ts";
export type { DeliveryQueue, Inq, RoomWait, Sink, SnapshotResults, Source } from "./contracts/queues.ts";
export {
  ERRORS,
  type ErrorCode,
  type ErrorEntry,
  listenError,
  messageOf,
  systemCodeOf,
  ThreatBusError,
} from "./errors.ts";
export { DeliverWorker } from "./flow/deliver-worker.ts";
export { JoinableQueue, QueueClosedError } from "./flow/joinable-queue.ts";
export { createMessageFactory } from "./flow/message-factory.ts";
export { Outq, type OutqEnvironment } from "./flow/outq.ts";
export { StoppableWorker, type WorkerContext } from "./flow/stoppable-worker.ts";
export type { PluginAddress } from "./lifecycle/apps.ts";
export type { NamedState } from "./lifecycle/backbone-watch.ts";
export {
  type StartReport,
  type StopReport,
  ThreatBus,
  type ThreatBusOptions,
} from "./lifecycle/bus.ts";
export {
  type Builtins,
  type LoadPluginsOptions,
  listPlugins,
  loadPlugins,
  type PluginDefinition,
  type PluginKind,
  type PluginListing,
  type PluginLoadResult,
  type PluginRequest,
  packageNameOf,
} from "./lifecycle/load.ts";
export { Supervisor } from "./lifecycle/notify.ts";
export { type DropCounter, DropReport, type DropReportOptions } from "./observe/drop-report.ts";
export { watchEventLoop } from "./observe/event-loop.ts";
export type { HealthPart, HealthReport } from "./observe/health.ts";
export {
  type ConsoleStream,
  createLogger,
  type Logging,
  type LoggingOptions,
  standardError,
} from "./observe/logging.ts";
export { type CounterName, counter, createMetrics, type GaugeName, gauge, METRICS } from "./observe/metrics.ts";
export { printable, printableSample } from "./observe/printable.ts";
export { hideUrlCredentials, looksSecret } from "./observe/redact.ts";
export { type ContentFilter, compileFilter, contentFilterSchema, type MessageFilter } from "./subscriptions/filter.ts";
export { Router } from "./subscriptions/router.ts";

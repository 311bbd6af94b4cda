import type { Indicator } from "@threatbus/stix";

/** An indicator for one address. */
export const INDICATOR: Indicator = {
  type: "indicator",
  spec_version: "2.1",
  id: "indicator--46b3f973-5c03-41fc-9efe-49598a267a35",
  created: "2026-01-02T03:04:05.123Z",
  modified: "2026-01-02T03:04:05.123Z",
  pattern: "[ipv4-addr:value = '198.51.100.7']",
  pattern_type: "stix",
  valid_from: "2026-01-02T03:04:05Z",
};

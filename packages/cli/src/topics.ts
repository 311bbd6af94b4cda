/** The topics of the messages that a person can subscribe to. */
export const TOPICS = ["stix2/indicator", "stix2/sighting"] as const;

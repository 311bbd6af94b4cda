import { parseStix, pointIoc } from "@threatbus/stix";

const message = Buffer.from(`{
  "type": "indicator", "spec_version": "2.1", "id": "indicator--46b3f973-5c03-41fc-9efe-49598a267a35",
  "created": "2021-03-04T05:06:07.891Z", "modified": "2021-03-04T05:06:07.891Z", "valid_from": "2021-03-04T05:06:07Z",
  "pattern": "[ipv4-addr:value = '198.51.100.3']", "pattern_type": "stix", "pattern_version": "2.1"
}`);

const parsed = parseStix(message);
if (parsed.ok) {
  console.log(parsed.value.bytes === message, pointIoc(parsed.value.object.pattern));
}

const broken = parseStix(Buffer.from(message.toString().replace("2021-03-04T05:06:07Z", "yesterday")));
if (!broken.ok) {
  const { pointer, rule, value } = broken.error;
  console.log(pointer, rule, value);
}

/** The extensions that STIX 2.1 defines itself (section 6): what they need. */
import type { Rule } from "./check.ts";
import { atLeastOneOf, listOfObjects, record } from "./lists.ts";
import { string } from "./scalars.ts";

/** By name of the extension. */
export const PREDEFINED_EXTENSIONS: ReadonlyMap<string, Rule> = new Map([
  [
    "ntfs-ext",
    record(
      {
        rules: new Map([
          ["sid", string],
          ["alternate_data_streams", listOfObjects(record({ rules: new Map([["name", string]]), required: ["name"] }))],
        ]),
        required: [],
      },
      atLeastOneOf("sid", "alternate_data_streams"),
    ),
  ],
]);

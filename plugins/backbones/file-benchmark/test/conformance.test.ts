import { backboneConformance, IN_PROCESS } from "@threatbus/testkit";
import fileBenchmark from "../src/index.ts";
import { inputFile } from "./fixtures.ts";

// With an empty file it is a backbone like any other.
backboneConformance("file_benchmark", {
  definition: fileBenchmark,
  site: (t) => {
    const config = { input_file: inputFile(t, "") };
    return { config: () => config };
  },
  lacks: IN_PROCESS,
});

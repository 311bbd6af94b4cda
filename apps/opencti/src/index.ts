/** The connector as a library: for the reference of its settings. */
export { connector } from "./connector.ts";

/** What a bus in a process of its own loads through `module` to be on the broker of the test. */
export { remoteBackbone as default } from "@threatbus/testkit";

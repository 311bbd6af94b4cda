/** A command frame's body, taken apart: a length byte, the name, the data. */
export interface Command {
  readonly name: string;
  readonly data: Buffer;
}

import { BrokerError } from "../errors.ts";
import { LENGTH_SIZE } from "./frame-reader.ts";
import { Writer } from "./writer.ts";

/**
 * One frame: what `write` appends, with its length in front.
 *
 * Throws BrokerError FRAME_TOO_LARGE when that is over `maxFrame` bytes.
 */
export function frame(write: (writer: Writer) => void, maxFrame = 0xffff_ffff): Buffer {
  const writer = new Writer();
  writer.u32(0);
  write(writer);
  const length = writer.length - LENGTH_SIZE;
  if (length > maxFrame) {
    throw new BrokerError("FRAME_TOO_LARGE", `a message of ${length} bytes; the limit is ${maxFrame}`);
  }
  writer.patchU32(0, length);
  return writer.finish();
}

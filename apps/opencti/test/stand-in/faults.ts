/** What a stand-in for OpenCTI can be told to do wrong, or in its own way. Changed while it runs. */
export interface Faults {
  /** Answers every request for the stream like this, without a body. */
  streamStatus?: number | undefined;
  /** Milliseconds between heartbeats; 0: none. */
  heartbeat: number;
  /** The stream in TCP packets of so many bytes. */
  packet?: number | undefined;
  lineEnd: "\n" | "\r\n";
  /** Objects that are sent before each other object, with its id. */
  dependencies: number;
  /** Closes the connection behind the dependencies of the next event. */
  cutBehindDependencies?: boolean | undefined;
  /** Closes the connection in the middle of the frame of the next event. */
  cutInFrame?: boolean | undefined;
  /** Sends each event so many times. */
  times: number;
  /** Milliseconds of pause before each event, and before the first frame. */
  delay: number;
  /** Text that stands in place of the next event's data. */
  garbage?: string | undefined;
  /** Answers the stream with this content type and a page instead. */
  page?: string | undefined;
  /** Does not tell where the stream stands. */
  hideRange?: boolean | undefined;
  /** Says nothing any more on open connections, and keeps them. */
  mute?: boolean | undefined;
}

export function noFaults(): Faults {
  return { heartbeat: 100, lineEnd: "\n", dependencies: 0, times: 1, delay: 0 };
}

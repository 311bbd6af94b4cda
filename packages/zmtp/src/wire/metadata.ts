/** Properties of READY and INITIATE; names are compared without case (ZMTP 3.1, "Metadata"), so keys are in lower case. */
export type Metadata = ReadonlyMap<string, Buffer>;

import type { z } from "zod";

/** A document, what goes in, and what of its answer is used. */
export interface Operation<Variables extends object, Data> {
  readonly name: string;
  /** The capability that the user needs for it. */
  readonly capability?: string;
  readonly text: string;
  readonly data: z.ZodType<Data>;
  /** Only a type: what the document's variables are. */
  readonly variables?: (variables: Variables) => void;
}

/** Makes an operation for variables of the type given; the answer's type is that of the schema. */
export function operation<Variables extends object>() {
  return <Data>(parts: Omit<Operation<Variables, Data>, "variables">): Operation<Variables, Data> => parts;
}

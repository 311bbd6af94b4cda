import { Outq, type OutqOptions } from "@threatbus/core";
export function newOutq(options: OutqOptions, _registry: unknown): Outq {
  return new Outq(options);
}

import type { Builtins } from "@threatbus/core";

/** The plugins that come with the command; each is imported only when it is configured. */
export const builtins: Builtins = {
  apps: {
    zmq: () => import("@threatbus/app-zmq"),
    zeek: () => import("@threatbus/app-zeek"),
    http: () => import("@threatbus/app-http"),
  },
  backbones: {
    inmem: () => import("@threatbus/backbone-inmem"),
    file_benchmark: () => import("@threatbus/backbone-file-benchmark"),
    rabbitmq: () => import("@threatbus/backbone-rabbitmq"),
    nats: () => import("@threatbus/backbone-nats"),
  },
};

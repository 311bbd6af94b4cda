/** What has to be there at the broker before messages can move. */
import { messageOf, ThreatBusError } from "@threatbus/core";
import { AMQPChannelError, type Channel } from "rabbitmq-client";
import { durableExchange, type QueueOptions, type RabbitmqOptions } from "./options.ts";

/**
 * The exchange of Threat Bus 2022.5 does not survive a restart of the broker: until every instance has connected again,
 * its queue would be bound to nothing, and miss what the others send. So our instances send to a durable exchange, whose
 * bindings to their durable queues stay. It also feeds the original exchange, for instances of 2022.5. RabbitMQ puts a
 * message into each queue once, however many ways lead there.
 */
export async function declareExchanges(channel: Channel, { exchange_name }: RabbitmqOptions): Promise<void> {
  const durable = durableExchange(exchange_name);
  await declared(`the exchange ${exchange_name}`, "", () =>
    channel.exchangeDeclare({ exchange: exchange_name, type: "fanout", durable: false, autoDelete: false }),
  );
  await declared(`the exchange ${durable}`, "", () =>
    channel.exchangeDeclare({ exchange: durable, type: "fanout", durable: true, autoDelete: false }),
  );
  await channel.exchangeBind({ source: durable, destination: exchange_name, routingKey: "" });
}

/** Declares this instance's queue as the original does, and binds it to both exchanges. */
export async function declareQueue(channel: Channel, { exchange_name, queue }: RabbitmqOptions): Promise<void> {
  const { name, durable, exclusive, auto_delete } = queue;
  const remedy = `set plugins.backbones.rabbitmq.queue to what it is, choose another queue.name_suffix, or delete it once \
its messages are read: rabbitmqctl delete_queue ${name}`;
  await declared(`the queue ${name}`, remedy, () =>
    channel.queueDeclare({ queue: name, durable, exclusive, autoDelete: auto_delete, arguments: argumentsOf(queue) }),
  );
  for (const exchange of [exchange_name, durableExchange(exchange_name)]) {
    await channel.queueBind({ queue: name, exchange, routingKey: "" });
  }
}

/** Exactly the arguments of Threat Bus 2022.5, but for quorum queues, which it does not know. */
function argumentsOf({ type, lazy, max_items }: QueueOptions): Record<string, string | number> {
  return {
    ...(type === "quorum" ? { "x-queue-type": "quorum" } : { "x-queue-mode": lazy ? "lazy" : "default" }),
    ...(max_items > 0 ? { "x-max-length": max_items } : {}),
  };
}

/** @throws ThreatBusError when it is there already and different (reply code 406): no later attempt can succeed. */
async function declared(what: string, remedy: string, declare: () => Promise<unknown>): Promise<void> {
  try {
    await declare();
  } catch (cause) {
    if (!(cause instanceof AMQPChannelError) || cause.code !== "PRECONDITION_FAILED") throw cause;
    const hint =
      remedy === "" ? "Choose another exchange_name, or delete the exchange with its other properties." : remedy;
    throw new ThreatBusError("TB_BACKBONE_FAILED", `${what} is there with other properties: ${messageOf(cause)}`, {
      cause,
      hint: `${hint.charAt(0).toUpperCase()}${hint.slice(1)}`,
    });
  }
}

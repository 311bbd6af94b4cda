/** A subscriber that is connected and never reads. */
import { Request, Subscriber } from "zeromq";

/** Subscribes to all indicators and reads none of them. Returns what ends the subscription's socket. */
export async function subscribeWithoutReading(managePort: number): Promise<() => void> {
  const request = new Request({ linger: 0, receiveTimeout: 10_000 });
  request.connect(`tcp://127.0.0.1:${managePort}`);
  await request.send('{"action": "subscribe", "topic": "stix2/indicator", "snapshot": 0}');
  const [frame] = await request.receive();
  request.close();
  const reply = JSON.parse(String(frame)) as { topic: string; pub_port: number };
  // With the smallest high-water mark, libzmq itself stops reading after the first few messages.
  const socket = new Subscriber({ receiveHighWaterMark: 1 });
  socket.connect(`tcp://127.0.0.1:${reply.pub_port}`);
  socket.subscribe(reply.topic);
  return () => socket.close();
}

/** Waits until a program answers on its management port. */
import { Request } from "zeromq";
import type { Child } from "../../../scripts/child.ts";

/** Resolves when a management request has been answered; rejects when the program ends or 30 seconds pass. */
export async function answering(child: Child, managePort: number): Promise<void> {
  const socket = new Request({ linger: 0, receiveTimeout: 30_000 });
  socket.connect(`tcp://127.0.0.1:${managePort}`);
  const ended = child.exited.then(() => {
    throw new Error(`it ended at once:\n${child.lines.slice(-20).join("\n")}`);
  });
  try {
    // An unknown topic: any answer will do, and nothing is left behind.
    await socket.send('{"action": "heartbeat", "topic": "none"}');
    await Promise.race([socket.receive(), ended]);
  } finally {
    ended.catch(() => {});
    socket.close();
  }
}

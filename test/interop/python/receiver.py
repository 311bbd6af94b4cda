"""An app that receives: subscribes, prints what comes, keeps its subscription alive.

receiver.py MANAGE_PORT TOPIC... [--snapshot DAYS]

Prints `subscribed P2P_TOPIC`, then `message TYPE JSON` for each message. Ends with `unsubscribed STATUS`
on SIGTERM.
"""

import argparse
import json
import signal

import zmq

HOST = "tcp://127.0.0.1"
HEARTBEAT_INTERVAL_MS = 1000


def manage(context, port, request):
    """One request on a socket of its own, as the published apps do it."""
    socket = context.socket(zmq.REQ)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVTIMEO, 10_000)
    socket.connect(f"{HOST}:{port}")
    try:
        socket.send_json(request)
        return socket.recv_json()
    finally:
        socket.close()


def say(*words):
    print(*words, flush=True)


class Stopped(Exception):
    """SIGTERM came."""


def stop(_signal, _frame):
    raise Stopped


def receive(context, port, topic, socket):
    while True:
        if not socket.poll(HEARTBEAT_INTERVAL_MS):
            reply = manage(context, port, {"action": "heartbeat", "topic": topic})
            say("heartbeat", reply["status"])
            continue
        head, payload = socket.recv().decode().split(" ", 1)
        say("message", head.removeprefix(topic), payload)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("topics", nargs="+")
    parser.add_argument("--snapshot", type=int, default=0)
    arguments = parser.parse_args()
    port, topics = arguments.port, arguments.topics
    signal.signal(signal.SIGTERM, stop)
    context = zmq.Context()
    wanted = topics[0] if len(topics) == 1 else topics
    reply = manage(context, port, {"action": "subscribe", "topic": wanted, "snapshot": arguments.snapshot})
    socket = context.socket(zmq.SUB)
    socket.connect(f"{HOST}:{reply['pub_port']}")
    socket.setsockopt(zmq.SUBSCRIBE, reply["topic"].encode())
    say("subscribed", reply["topic"])
    try:
        receive(context, port, reply["topic"], socket)
    except Stopped:
        reply = manage(context, port, {"action": "unsubscribe", "topic": reply["topic"]})
        say("unsubscribed", json.dumps(reply["status"]))


main()

"""An app that answers snapshot requests, with the classes of the Python Threat Bus.

answerer.py MANAGE_PORT INDICATOR_JSON

Prints `ready` when it is subscribed and the bus hears it; for each request `answered TYPE_NAME DAYS`.
"""

import json
import sys

import zmq
from stix2 import parse
from threatbus.data import SnapshotEnvelope, SnapshotEnvelopeEncoder, SnapshotRequestDecoder

HOST = "tcp://127.0.0.1"
context = zmq.Context()


def main():
    manage = context.socket(zmq.REQ)
    manage.connect(f"{HOST}:{sys.argv[1]}")
    manage.send_json({"action": "subscribe", "topic": "stix2/indicator", "snapshot": 0})
    reply = manage.recv_json()
    received = context.socket(zmq.SUB)
    received.connect(f"{HOST}:{reply['pub_port']}")
    received.setsockopt(zmq.SUBSCRIBE, reply["topic"].encode())
    # A PUB whose subscriptions can be read: the first one says that the bus is connected.
    sent = context.socket(zmq.XPUB)
    sent.connect(f"{HOST}:{reply['sub_port']}")
    sent.recv()
    print("ready", flush=True)
    while True:
        head, payload = received.recv().decode().split(" ", 1)
        if not head.endswith("snapshotrequest"):
            continue
        request = json.loads(payload, cls=SnapshotRequestDecoder)
        body = parse(sys.argv[2], allow_custom=True)
        envelope = SnapshotEnvelope(request.snapshot_type, request.snapshot_id, body)
        sent.send_string(f"threatbus/snapshotenvelope {json.dumps(envelope, cls=SnapshotEnvelopeEncoder)}")
        print("answered", request.snapshot_type.name, request.snapshot.days, flush=True)


main()

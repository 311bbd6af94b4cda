"""An app that sends: publishes each line of standard input, `TOPIC JSON`, to the bus.

sender.py SUB_PORT
"""

import sys

import zmq

socket = zmq.Context().socket(zmq.PUB)
socket.connect(f"tcp://127.0.0.1:{sys.argv[1]}")
for line in sys.stdin:
    socket.send_string(line.rstrip("\n"))
socket.close(linger=5000)

"""Stands in for systemd: prints each datagram that comes to a socket of the Unix domain, as one line.

notify-socket.py PATH        listens, and prints `listening` first
notify-socket.py PATH TEXT   sends TEXT there, as systemd-notify does
"""

import socket
import sys

path, texts = sys.argv[1], sys.argv[2:]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
    if texts:
        channel.sendto("\n".join(texts).encode(), path)
    else:
        channel.bind(path)
        print("listening", flush=True)
        while True:
            print(channel.recv(4096).decode().replace("\n", " "), flush=True)

#!/usr/bin/env python3
"""A connector for Threat Bus in one file: asks a tool about every indicator and reports what it has seen.

    threatbus_newtool.py config.toml

It needs Python 3.11 and pyzmq. The wire protocol is described in docs/protocol.md of Threat Bus. Make it yours:
`events_with` asks the tool, `value_of` says what the tool can look for, `sighting_of` what is reported.

What it keeps to:
- It connects again by itself, after 1 s to 60 s, and goes on behind the last position that it has dealt with.
- A position is saved when the bus has confirmed (receipt) all sightings of the messages before it.
- Heartbeats come from a thread of their own: a slow tool does not end the subscription.
- What cannot be read is logged and left out; it ends nothing.
"""

import json
import logging
import os
import queue
import random
import re
import signal
import sys
import threading
import time
import tomllib
import uuid
from collections import deque
from datetime import datetime, timezone

import zmq

NAME = "threatbus-newtool"
TOPIC = "stix2/indicator"
OBJECT_PATHS = ["ipv4-addr:value", "ipv6-addr:value", "domain-name:value", "url:value"]
REQUEST_TIMEOUT = 5.0
HEARTBEAT_INTERVAL = 5.0
RECEIPT_TIMEOUT = 30.0
CONNECT_TIMEOUT = 10.0
POLL = 0.25
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
MAX_MESSAGE = 16 * 1024 * 1024
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Of the ids of sightings; a random one, never to be changed. Take your own.
NAMESPACE = uuid.UUID("0d9a4b9e-4a3c-4f0b-9d52-5f6c9c3f1b7d")

log = logging.getLogger(NAME)
stopped = threading.Event()


class Lost(Exception):
    """The bus or the tool is away: begin anew from the last position."""


# --- your tool ---------------------------------------------------------------------------------------------------


def value_of(indicator):
    """The value that an indicator looks for, or None where the tool cannot look for it."""
    pattern = indicator.get("pattern")
    if indicator.get("pattern_type") != "stix" or not isinstance(pattern, str):
        return None
    match = re.fullmatch(r"\s*\[\s*([\w-]+:\w+)\s*=\s*'((?:[^'\\]|\\.)*)'\s*\]\s*", pattern, re.DOTALL)
    if match is None or match[1] not in OBJECT_PATHS:
        return None
    return re.sub(r"\\(.)", r"\1", match[2], flags=re.DOTALL)


def events_with(value, settings):
    """Asks the tool, here a log file: yields one line for each event. Raises OSError where it is away."""
    found = 0
    with open(settings["log_file"], encoding="utf8", errors="replace") as lines:
        for line in lines:
            if value in re.split(r"[\s/]+", line):
                yield line.rstrip("\n")
                found += 1
                if found == settings["max_matches"]:
                    return


def sighting_of(indicator, event):
    """One event as a sighting, or None where it does not begin with a time."""
    try:
        seen = datetime.fromisoformat(event.split(maxsplit=1)[0])
    except (IndexError, ValueError):
        return None
    if seen.tzinfo is None:
        seen = seen.replace(tzinfo=timezone.utc)
    now = timestamp(datetime.now(timezone.utc))
    return {
        "type": "sighting",
        "spec_version": "2.1",
        # The same event has the same id, however often it is found.
        "id": f"sighting--{uuid.uuid5(NAMESPACE, indicator['id'] + ' ' + event)}",
        "created": now,
        "modified": now,
        "last_seen": timestamp(seen),
        "sighting_of_ref": indicator["id"],
        "x_threatbus_sighting_context": {"event": event},
        "x_threatbus_indicator": indicator,
    }


def handle(indicator, settings):
    """The sightings that one indicator leads to."""
    # A removed indicator is not looked for any more. A tool that keeps a list of them would delete it here.
    if indicator.get("x_threatbus_update") == "REMOVE":
        return
    value = value_of(indicator)
    if value is None:
        return
    try:
        for event in events_with(value, settings):
            sighting = sighting_of(indicator, event)
            if sighting is None:
                log.warning("left out, no time in it: %.200r", event)
            else:
                yield sighting
    except OSError as error:
        raise Lost(f"the tool is away: {error}") from error


def timestamp(moment):
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- what is remembered ------------------------------------------------------------------------------------------


class Position:
    """How far everything is dealt with: {"position": 4711, "log": "..."} in a file that is whole at any time."""

    def __init__(self, path):
        self.path = path
        self.value = None
        if not os.path.exists(path):
            return
        try:
            with open(path, encoding="utf8") as file:
                value = json.load(file)
            self.value = {"position": int(value["position"]), "log": str(value["log"])}
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be used, beginning with a snapshot: %r", path, error)

    def save(self, value):
        """Raises Lost when the disk refuses it: what is not remembered comes again."""
        temporary = f"{self.path}.tmp"
        try:
            with open(temporary, "w", encoding="utf8") as file:
                json.dump(value, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except OSError as error:
            raise Lost(f"the position cannot be saved: {error}") from error
        self.value = value


# --- the bus -----------------------------------------------------------------------------------------------------


class Bus:
    """The management port: one request, one reply, each on a socket of its own."""

    def __init__(self, context, endpoint):
        self.context = context
        self.endpoint = endpoint.removeprefix("tcp://")
        # "[::1]:13370" is a host and a port as well.
        self.host = self.endpoint.rpartition(":")[0]

    def request(self, message, timeout=REQUEST_TIMEOUT):
        with self.context.socket(zmq.REQ) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.IPV6, 1)
            socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
            socket.connect(f"tcp://{self.endpoint}")
            socket.send_json(message)
            if not socket.poll(timeout * 1000):
                raise Lost(f"no answer from {self.endpoint}")
            try:
                reply = socket.recv_json()
            except ValueError as error:
                raise Lost(f"{self.endpoint} is no Threat Bus: {error}") from error
        if not isinstance(reply, dict) or reply.get("status") != "success":
            raise Refused(reply)
        return reply

    def socket(self, kind, port, watch):
        """A data socket; `watch` gets what hears of its connection breaking."""
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 1000)
        socket.setsockopt(zmq.IPV6, 1)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        watch.append(socket.get_monitor_socket(zmq.EVENT_DISCONNECTED))
        socket.connect(f"tcp://{self.host}:{port}")
        return socket


class Refused(Lost):
    """The bus answered with an error."""

    def __init__(self, reply):
        reply = reply if isinstance(reply, dict) else {}
        super().__init__(f"refused: {reply.get('message', reply.get('status'))}")
        self.code = reply.get("code")


class Session:
    """One subscription with everything that belongs to it, until something breaks."""

    def __init__(self, bus, settings, position):
        self.bus, self.settings, self.position = bus, settings, position
        self.topics = []
        self.sockets = []
        self.monitors = []
        self.closed = threading.Event()
        self.heartbeat_failed = threading.Event()
        # Receipts asked for, and the positions that wait for them: (number, asked at, position).
        self.number = 0
        self.unconfirmed = False
        self.waiting = deque()

    def open(self):
        reply = self.subscribe()
        self.topic, self.log = reply["topic"], reply.get("log")
        self.messages = self.listen(reply)
        receipts = self.bus.request({"action": "subscribe", "topic": "threatbus/none", "receipts": True, "name": NAME})
        self.topics.append(receipts["topic"])
        # A server of 2022.5 has none, nor positions.
        self.has_receipts = receipts.get("receipts") is True
        self.receipt_topic = receipts["topic"]
        self.receipts = self.listen(receipts)
        self.sender = self.bus.socket(zmq.XPUB, reply["sub_port"], self.monitors)
        self.sockets.append(self.sender)
        self.wait_for_listener()
        threading.Thread(target=self.beat, daemon=True).start()

    def subscribe(self):
        wanted = {"action": "subscribe", "topic": TOPIC, "name": NAME, "positions": True}
        wanted["filter"] = {"pattern_types": ["stix"], "object_paths": OBJECT_PATHS}
        before = self.position.value
        if before is None:
            wanted["snapshot"] = self.settings["snapshot"]
        else:
            wanted |= {"from": before["position"], "log": before["log"]}
        try:
            reply = self.bus.request(wanted)
        except Refused as error:
            if before is None or error.code != "TB_NO_LOG":
                raise
            log.warning("the bus has no log any more: beginning with a snapshot")
            self.position.value = None
            return self.subscribe()
        self.topics.append(reply["topic"])
        if before is not None and (reply.get("log"), reply.get("position")) != (before["log"], before["position"]):
            log.warning("messages may be missing: asked for %s, got %s of log %s", before, reply.get("position"), reply.get("log"))
        return reply

    def listen(self, reply):
        socket = self.bus.socket(zmq.SUB, reply["pub_port"], self.monitors)
        socket.setsockopt(zmq.SUBSCRIBE, reply["topic"].encode())
        self.sockets.append(socket)
        return socket

    def wait_for_listener(self):
        """A publishing socket drops what is sent before the bus has subscribed to it."""
        deadline = time.monotonic() + CONNECT_TIMEOUT
        heard = []
        while not all(any(wanted.startswith(topic) for topic in heard) for wanted in (b"stix2/sighting ", b"threatbus/receipt ")):
            if not self.sender.poll(POLL * 1000) and (time.monotonic() > deadline or stopped.is_set()):
                raise Lost("the bus does not listen")
            while self.sender.poll(0):
                frame = self.sender.recv()
                if frame[:1] == b"\x01":
                    heard.append(frame[1:])
            if not self.has_receipts and any(b"stix2/sighting ".startswith(topic) for topic in heard):
                return

    def beat(self):
        """Heartbeats, whatever the tool does meanwhile."""
        while not self.closed.wait(HEARTBEAT_INTERVAL):
            try:
                for topic in self.topics:
                    self.bus.request({"action": "heartbeat", "topic": topic})
            except (Lost, zmq.ZMQError) as error:
                log.warning("heartbeat: %s", error)
                self.heartbeat_failed.set()
                return

    def run(self):
        """Deals with messages until it is stopped. Raises Lost when something has broken."""
        poller = zmq.Poller()
        for socket in (self.messages, self.receipts, *self.monitors):
            poller.register(socket, zmq.POLLIN)
        while not stopped.is_set():
            ready = dict(poller.poll(POLL * 1000))
            if self.heartbeat_failed.is_set() or any(monitor in ready for monitor in self.monitors):
                raise Lost("the connection broke")
            if self.receipts in ready:
                self.on_receipt(self.receipts.recv())
            if self.messages in ready:
                self.on_message(self.messages.recv())
            if self.waiting and time.monotonic() - self.waiting[0][1] > RECEIPT_TIMEOUT:
                raise Lost("no receipt")

    def on_message(self, frame):
        kind, body = decode(frame, self.topic)
        if kind == "indicator" and isinstance(body.get("id"), str):
            for sighting in handle(body, self.settings):
                self.sender.send(b"stix2/sighting " + json.dumps(sighting).encode())
                self.unconfirmed = True
                log.info("sighting of %s", body["id"])
        elif kind == "position" and isinstance(body.get("position"), int):
            self.reach(body["position"])
        elif kind is not None:
            log.debug("left out: %s", kind)

    def reach(self, position):
        """Everything before this position is dealt with, and safe when the bus has confirmed what was published."""
        value = {"position": position, "log": self.log}
        if self.unconfirmed and self.has_receipts:
            self.unconfirmed = False
            self.number += 1
            asked = {"topic": self.receipt_topic, "number": self.number}
            self.sender.send(b"threatbus/receipt " + json.dumps(asked).encode())
        elif not self.waiting:
            self.position.save(value)
            return
        self.waiting.append((self.number, time.monotonic(), value))

    def on_receipt(self, frame):
        kind, body = decode(frame, self.receipt_topic)
        if kind != "receipt" or not isinstance(body.get("number"), int):
            return
        reached = None
        while self.waiting and self.waiting[0][0] <= body["number"]:
            reached = self.waiting.popleft()[2]
        if reached is not None:
            self.position.save(reached)

    def close(self):
        self.closed.set()
        for socket in self.sockets:
            socket.disable_monitor()
        for socket in (*self.sockets, *self.monitors):
            socket.close()
        for topic in self.topics:
            try:
                self.bus.request({"action": "unsubscribe", "topic": topic}, timeout=1.0)
            except (Lost, zmq.ZMQError):
                # The bus forgets it without heartbeats.
                return


def decode(frame, topic):
    """The type and the body of `<topic>indicator {...}`; (None, {}) for what cannot be read."""
    try:
        head, payload = frame.decode().split(" ", 1)
        body = json.loads(payload)
        if not isinstance(body, dict) or not head.startswith(topic):
            raise ValueError("not a message of ours")
        return head.removeprefix(topic), body
    except (ValueError, RecursionError) as error:
        log.warning("left out, %s: %.200r", error, frame)
        return None, {}


# --- the program -------------------------------------------------------------------------------------------------


def load_settings(path):
    settings = {"threatbus": "localhost:13370", "snapshot": 30, "state_file": "newtool.position", "max_matches": 100}
    with open(path, "rb") as file:
        given = tomllib.load(file)
    unknown = given.keys() - settings.keys() - {"log_file"}
    if unknown or not isinstance(given.get("log_file"), str):
        raise ValueError(f"unknown settings {sorted(unknown)}" if unknown else "log_file is missing")
    settings |= given
    for name, kind in {"threatbus": str, "snapshot": int, "state_file": str, "max_matches": int}.items():
        if not isinstance(settings[name], kind):
            raise ValueError(f"{name} has to be {kind.__name__}")
    return settings


def work(settings):
    context = zmq.Context()
    position = Position(settings["state_file"])
    bus = Bus(context, settings["threatbus"])
    pause = FIRST_PAUSE
    while not stopped.is_set():
        session = Session(bus, settings, position)
        began = time.monotonic()
        try:
            session.open()
            log.info("subscribed%s", "" if position.value is None else f" from position {position.value['position']}")
            session.run()
        except (Lost, zmq.ZMQError) as error:
            # One that worked for a while begins with the shortest pause again.
            pause = FIRST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else pause
            log.warning("%s; again in %.0f s", error, pause)
            stopped.wait(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            session.close()
    # Writes what was published; a heartbeat that still waits for its answer ends.
    context.term()


def stop_on(signals):
    """A thread of its own: a signal handler that interrupts `stopped.wait` waits in `stopped.set` for its lock, for ever."""
    signals.get()
    stopped.set()


def main():
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"), format="%(asctime)s %(levelname)-7s %(message)s")
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} config.toml")
    try:
        settings = load_settings(sys.argv[1])
    except (OSError, ValueError) as error:
        log.error("%s: %s", sys.argv[1], error)
        sys.exit(78)
    # This `put` may be called by a handler, whatever that interrupts.
    signals = queue.SimpleQueue()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: signals.put(None))
    threading.Thread(target=stop_on, args=(signals,), daemon=True).start()
    work(settings)
    log.info("stopped")


if __name__ == "__main__":
    main()

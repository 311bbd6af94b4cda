"""Runs a program, and a signal to end it comes at the worst moment: while it holds the lock of the event that ends it.

signal_in_wait.py PROGRAM ARGUMENT...
"""

import importlib.util
import os
import signal
import sys


def main():
    spec = importlib.util.spec_from_file_location("program", sys.argv[1])
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    # Event.wait calls this with the lock held.
    condition = program.stopped._cond
    wait = condition.wait

    def interrupted(timeout=None):
        os.kill(os.getpid(), signal.SIGTERM)
        return wait(timeout)

    condition.wait = interrupted
    sys.argv[:] = sys.argv[1:]
    program.main()


main()

"""Runs a program whose tool has a library with a thread of its own, and starts and ends another program.

busy_tool.py PROGRAM ARGUMENT...
"""

import importlib.util
import subprocess
import sys
import threading
import time

# Before the program begins, as libraries do when they are imported.
threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


def main():
    spec = importlib.util.spec_from_file_location("program", sys.argv[1])
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    work = program.work

    def with_another(settings):
        another = subprocess.Popen(["sleep", "3600"])
        another.terminate()
        try:
            program.log.info("ended a program with %s", another.wait(20))
        finally:
            another.kill()
        work(settings)

    program.work = with_another
    sys.argv[:] = sys.argv[1:]
    program.main()


main()

"""Runs the stix-shifter command with arguments from standard input (a JSON list of texts).

Credentials then do not show in the list of processes, and an argument may be as long as it likes.
"""

import json
import os
import runpy
import sys

program = sys.argv[1]
sys.argv = [program, *json.load(sys.stdin)]
# As when the program is started itself.
sys.path[0] = os.path.dirname(program)
runpy.run_path(program, run_name="__main__")

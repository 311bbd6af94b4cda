"""Parses STIX objects with the reference implementation.

Reads one JSON string per line, whose content is the text of an object; prints one JSON line for each:
{"ok": bool, "class": str, "error": str}. STIX patterns are checked with stix2-patterns as well.
"""

import json
import sys

import stix2
from stix2patterns.validator import run_validator


def check(text):
    parsed = stix2.parse(text, allow_custom=True)
    kind = type(parsed)
    if kind not in (stix2.v21.Indicator, stix2.v21.Sighting):
        return {"ok": False, "class": kind.__name__, "error": "neither an indicator nor a sighting of STIX 2.1"}
    if getattr(parsed, "pattern_type", None) == "stix":
        version = "2.1" if parsed.get("pattern_version", "2.1") == "2.1" else "2.0"
        errors = run_validator(parsed.pattern, stix_version=version)
        if errors:
            return {"ok": False, "class": kind.__name__, "error": "; ".join(errors)}
    return {"ok": True, "class": kind.__name__, "error": ""}


for line in sys.stdin:
    try:
        verdict = check(json.loads(line))
    except Exception as error:
        verdict = {"ok": False, "class": "", "error": f"{type(error).__name__}: {error}"}
    print(json.dumps(verdict), flush=True)

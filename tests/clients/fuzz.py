"""Throws what schemathesis (PyPI) makes of the API description at a sandbox: nothing may answer 5xx.

    python fuzz.py http://127.0.0.1:8080 [short]

The last line counts the requests.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ORIGIN = sys.argv[1]
AT_MOST_SECONDS = 300
# The whole description with random values; then, unless it is to be short, every parameter one after the
# other where time is sold. The whole description one after the other would take half an hour.
RUNS = [
    ("everything", ["--phases", "fuzzing", "--max-examples", "2"]),
    ("booking", ["--phases", "coverage", "--include-path-regex", "^/fhir/(Slot|Appointment)(/{id})?$"]),
]


def run(report, options):
    command = [
        pathlib.Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{ORIGIN}/openapi.json",
        *("--origin", ORIGIN),
        *("--checks", "not_a_server_error"),
        *options,
        # The same requests every time.
        *("--seed", "20260301"),
        *("--workers", "2"),
        *("--request-timeout", "20"),
        *("--suppress-health-check", "all"),
        *("--warnings", "off"),
        *("--report", "json", "--report-json-path", report),
        "--continue-on-failure",
        "--no-shrink",
    ]
    return subprocess.run(
        command,
        cwd=report.parent,
        timeout=AT_MOST_SECONDS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def counts(name, options):
    """How many requests of a run were answered well, and how many were not."""
    with tempfile.TemporaryDirectory() as directory:
        report = pathlib.Path(directory) / "report.json"
        try:
            done = run(report, options)
        except subprocess.TimeoutExpired:
            print(f"FAILED schemathesis, {name}: not done in {AT_MOST_SECONDS} s")
            return 0, 1
        if not report.exists():
            print(f"FAILED schemathesis, {name}: no report\n{done.stdout}")
            return 0, 1
        cases = json.loads(report.read_text(encoding="utf-8"))["test_cases"]
    failed = cases["with_failures"] + cases["errored"]
    # A description that describes nothing would pass.
    if done.returncode != 0 or cases["generated"] < 100:
        failed = max(failed, 1)
        print(f"FAILED schemathesis, {name}:\n{done.stdout}")
    return max(cases["generated"] - failed, 0), failed


def main():
    runs = RUNS[:1] if "short" in sys.argv[2:] else RUNS
    results = [counts(name, options) for name, options in runs]
    passed, failed = (sum(column) for column in zip(*results))
    print(f"client schemathesis: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Throws what schemathesis (PyPI) makes of the API description at a sandbox: nothing may answer 5xx.

    python fuzz.py http://127.0.0.1:8080

The last line counts the requests.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ORIGIN = sys.argv[1]
# Enough for every operation and parameter to be visited with good and bad values; some minutes in all.
EXAMPLES = 5
AT_MOST_SECONDS = 600


def run(report):
    command = [
        pathlib.Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{ORIGIN}/openapi.json",
        *("--origin", ORIGIN),
        *("--checks", "not_a_server_error"),
        *("--phases", "coverage,fuzzing"),
        *("--max-examples", str(EXAMPLES)),
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


def main():
    with tempfile.TemporaryDirectory() as directory:
        report = pathlib.Path(directory) / "report.json"
        try:
            done = run(report)
        except subprocess.TimeoutExpired:
            print(f"FAILED schemathesis: not done in {AT_MOST_SECONDS} s")
            print("client schemathesis: 0 passed, 1 failed")
            return 1
        if not report.exists():
            print(f"FAILED schemathesis: no report\n{done.stdout}")
            print("client schemathesis: 0 passed, 1 failed")
            return 1
        cases = json.loads(report.read_text(encoding="utf-8"))["test_cases"]
    failed = cases["with_failures"] + cases["errored"]
    if done.returncode != 0:
        failed = max(failed, 1)
        print(f"FAILED schemathesis:\n{done.stdout}")
    passed = max(cases["generated"] - failed, 0)
    print(f"client schemathesis: {passed} passed, {failed} failed")
    # A description that describes nothing would pass.
    return 1 if failed or passed < 100 else 0


if __name__ == "__main__":
    sys.exit(main())

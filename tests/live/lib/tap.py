"""Test Anything Protocol: "1..N" at the end, one line a check."""

import sys


class Tap:
    def __init__(self):
        self.count = self.failures = 0

    def check(self, passed, name, detail=""):
        self.count += 1
        self.failures += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name}")
        if not passed:
            for line in str(detail).splitlines():
                print(f"# {line}")

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}")

    def end(self):
        """Prints the plan and leaves, with 1 where a check failed."""
        print(f"1..{self.count}", flush=True)
        sys.exit(self.failures > 0)

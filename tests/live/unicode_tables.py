"""Asks the installed tokenizers package for ref/unicode_tables.c again: the committed file must be what it says."""

import subprocess
import sys
from pathlib import Path

from lib.tap import Tap

tap = Tap()
made = subprocess.run([sys.executable, "ref/make_unicode_tables.py"], capture_output=True)
committed = Path("ref/unicode_tables.c").read_bytes()
tap.check(
    made.returncode == 0 and made.stdout == committed,
    "unicode_tables.c is what make_unicode_tables.py writes",
    made.stderr.decode(),
)
tap.end()

"""The environment of the tests, made before Django reads its settings: loaded by `addopts` in pyproject.toml.

Tests never touch the `var/` of the person who runs them, and nothing leaves the machine.
"""

import atexit
import os
import shutil
import tempfile

if "VAR_DIR" not in os.environ:
    os.environ["VAR_DIR"] = tempfile.mkdtemp(prefix="daily-papers-tests-")
    atexit.register(shutil.rmtree, os.environ["VAR_DIR"], ignore_errors=True)
os.environ["OFFLINE"] = "1"
# Answers need not take their time where nobody measures it.
os.environ.setdefault("SIGNUP_ANSWER_MS", "0")

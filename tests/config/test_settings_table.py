"""docs/settings.md says what the code does: every setting, its default and its meaning, and nothing else."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ASK = """
import json
import config.settings
from config.env import SETTINGS
print(json.dumps([[setting.name, setting.default, setting.meaning] for setting in SETTINGS.values()]))
"""


def in_the_code(var_dir: Path) -> list[str]:
    """The table as the code would write it, where nobody has set anything."""
    env = {"PATH": os.environ["PATH"], "VAR_DIR": str(var_dir)}
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=REPOSITORY, env=env, capture_output=True, text=True, check=True
    )
    rows = []
    for name, default, meaning in json.loads(done.stdout):
        shown = default.replace(f"{REPOSITORY}/", "")
        rows.append(f"| `{name}` | {f'`{shown}`' if shown else ''} | {meaning} |")
    return rows


def in_the_table() -> list[str]:
    lines = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if re.match(r"\| `[A-Z_]+` \|", line)]


def test_the_table_of_settings_is_that_of_the_code(tmp_path: Path):
    assert in_the_table() == in_the_code(tmp_path)


def test_the_settings_others_rely_on_are_all_there():
    named = set(re.findall(r"(?m)^\| `([A-Z_]+)`", "\n".join(in_the_table())))
    promised = (
        "SITE_URL SECRET_KEY LINK_KEY ADDRESS_KEY DATABASE_URL REDIS_URL EMAIL_PROVIDER DEFAULT_FROM_EMAIL REPLY_TO"
        " POSTAL_ADDRESS WEBHOOK_SECRET VAR_DIR PORT OFFLINE FETCH_ALLOW EDITION_CUTOFF EDITION_TIME_ZONE"
    )
    assert set(promised.split()) <= named

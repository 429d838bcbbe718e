"""The programs that judge our mails: which are there, and how they come here.

python -m tests.mails.tools --install      installs what is missing: apt for the filters and Dovecot, npm for the rest
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.mails import dovecot, rspamd

REPOSITORY = Path(__file__).resolve().parents[2]
NODE_FOLDER = Path(os.environ.get("MAILTOOLS_DIR", REPOSITORY / "var" / "mailtools")).resolve()
PACKAGES = ["spamassassin", "rspamd", "dovecot-core", "dovecot-imapd", "dovecot-lmtpd", "nodejs", "npm"]
SECONDS = 600


def has_spamassassin() -> bool:
    """Whether SpamAssassin is on this machine."""
    return shutil.which("spamassassin") is not None


def has_node_tools() -> bool:
    """Whether Node is here and what tests/mails/package.json names is installed."""
    return shutil.which("node") is not None and (NODE_FOLDER / "node_modules" / "caniemail").is_dir()


def missing() -> list[str]:
    """What is not here."""
    there = {
        "SpamAssassin": has_spamassassin(),
        "rspamd": rspamd.is_installed(),
        "Dovecot (as root)": dovecot.is_installed(),
        "caniemail, html-validate and axe": has_node_tools(),
    }
    return [name for name, is_there in there.items() if not is_there]


def install() -> None:
    """Install what is missing, as far as this machine lets us."""
    wanted = [name for name in PACKAGES if shutil.which(_program(name)) is None]
    if wanted and os.geteuid() == 0 and shutil.which("apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]):
            words = [*command, *wanted] if "install" in command else command
            subprocess.run(words, env=env, check=False, timeout=SECONDS, stdout=subprocess.DEVNULL)
    if shutil.which("npm") and not has_node_tools():
        NODE_FOLDER.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(__file__).with_name("package.json"), NODE_FOLDER)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=NODE_FOLDER, check=False, timeout=SECONDS)


def _program(package: str) -> str:
    return {"dovecot-core": "dovecot", "dovecot-imapd": "dovecot", "dovecot-lmtpd": "dovecot", "nodejs": "node"}.get(
        package, package
    )


def main() -> int:
    """Say what is missing; with --install, mend that first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true")
    if parser.parse_args().install:
        install()
    found = missing()
    for name in found:
        sys.stdout.write(f"missing: {name}\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())

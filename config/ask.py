"""`python -m config.ask URL`: whether an address of this machine answers with success. For health checks of containers
that have no curl. Exit code 0: it does. 1: it does not; what it says goes to standard output."""

import sys
import urllib.error
import urllib.request

SECONDS = 4


def main(url: str) -> int:
    """Ask once."""
    asked = urllib.request.Request(url, headers={"Host": "127.0.0.1"})  # noqa: S310 - an address from the compose file
    try:
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:  # noqa: S310
            sys.stdout.write(f"{answer.read(2000).decode(errors='replace')}\n")
            return 0
    except urllib.error.HTTPError as error:
        sys.stdout.write(f"{error.code}: {error.read(2000).decode(errors='replace')}\n")
    except OSError as error:
        sys.stdout.write(f"{error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

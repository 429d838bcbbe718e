"""Reading the environment: every setting of the installation comes through here, once, with its meaning.

A value may also be given as a file: `NAME_FILE=/run/secrets/name` stands for `NAME=<the file's content>`.
`SETTINGS` remembers what was asked for, so that a test can hold `docs/settings.md` against the code.
"""

import datetime as dt
import ipaddress
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

KEY_NAMES = ("SECRET_KEY", "LINK_KEY", "ADDRESS_KEY")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name in the environment, what it is when nobody says, and what it does."""

    name: str
    default: str
    meaning: str


SETTINGS: dict[str, Setting] = {}
# What was found wrong since `begin`; None where each mistake is raised by itself.
_mistakes: list[str] | None = None


def begin() -> None:
    """From here on mistakes are collected, so that whoever sets this up hears of all of them at once."""
    global _mistakes
    _mistakes = []


def wrong(message: str) -> None:
    """Something that cannot be, in a sentence that says what to do. Raises ImproperlyConfigured, or `end` will."""
    if _mistakes is None:
        raise ImproperlyConfigured(message)
    _mistakes.append(message)


def end() -> None:
    """Raise ImproperlyConfigured with everything that was wrong since `begin`, a line each."""
    global _mistakes
    found, _mistakes = list(dict.fromkeys(_mistakes or ())), None
    if len(found) > 1:
        found.insert(0, "These must be mended before anything starts:")
    if found:
        raise ImproperlyConfigured("\n".join(found))


def text(name: str, default: str, meaning: str) -> str:
    """The value of `name`, of the file that `<name>_FILE` points to, or the default.

    Surrounding space is dropped, and a value that is empty counts as not given.
    """
    SETTINGS[name] = Setting(name, default, meaning)
    if path := os.environ.get(f"{name}_FILE"):
        return _content(path, name=name) or default
    return os.environ.get(name, "").strip() or default


def _content(path: str, *, name: str) -> str:
    """What stands in the file that is given for a value; an empty one is a mistake, as it was meant to be a secret."""
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        wrong(f"{name}_FILE is {path!r}, which cannot be read: {error.__class__.__name__}.")
        return ""
    if not content:
        wrong(f"{name}_FILE is {path!r}, which is empty.")
    return content


def flag(name: str, meaning: str, *, default: bool = False) -> bool:
    """True for 1, true, yes or on; False for 0, false, no or off; the default for nothing. Anything else is refused."""
    value = text(name, "1" if default else "", meaning).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"", "0", "false", "no", "off"}:
        return False
    wrong(f"{name} must be 1 or 0, not {value!r}.")
    return default


def number(name: str, default: int, meaning: str) -> int:
    """A whole number, zero or more."""
    value = text(name, str(default), meaning)
    if not value.isdecimal():
        wrong(f"{name} must be a whole number, not {value!r}.")
        return default
    return int(value)


def clock_time(name: str, default: str, meaning: str) -> dt.time:
    """A time of day, like 07:00."""
    value = text(name, default, meaning) or default
    try:
        return dt.time.fromisoformat(value)
    except ValueError:
        wrong(f"{name} must be a time of day like {default}, not {value!r}.")
        return dt.time.fromisoformat(default)


def items(name: str, meaning: str) -> tuple[str, ...]:
    """A list separated by commas or spaces."""
    return tuple(text(name, "", meaning).replace(",", " ").split())


def rates(name: str, meaning: str) -> dict[str, int]:
    """Whole numbers above zero by name, like gmail.com=10."""
    found = {}
    for item in items(name, meaning):
        key, _, value = item.partition("=")
        if not value.isdecimal() or not int(value):
            wrong(f"{name} must be like gmail.com=10, not {item!r}.")
            continue
        found[key.lower()] = int(value)
    return found


def networks(name: str, meaning: str) -> tuple[Network, ...]:
    """Addresses and networks of the Internet Protocol, like 10.0.0.0/8 or ::1."""
    found = []
    for item in items(name, meaning):
        try:
            found.append(ipaddress.ip_network(item, strict=False))
        except ValueError:
            wrong(f"{name} must hold addresses or networks like 10.0.0.0/8, not {item!r}.")
    return tuple(found)


def prefixed(prefix: str) -> dict[str, str]:
    """Every variable that starts with `prefix`, without it: how a provider's own credentials are passed on.

    Here, too, `<name>_FILE` stands for the file's content.
    """
    found = {}
    for name, value in os.environ.items():
        if name.startswith(prefix):
            is_file = name.endswith("_FILE")
            kept = _content(value, name=name.removesuffix("_FILE")) if is_file else value
            found[name.removeprefix(prefix).removesuffix("_FILE")] = kept
    return found


def keys(*, var_dir: Path, required: bool) -> dict[str, str]:
    """The three secrets of the installation.

    In production each must be given. On a single machine those that are not given are made once and kept in
    `var/keys.json`, readable by its owner only: links in mails must work for years, whatever is restarted.
    """
    meanings = {
        "SECRET_KEY": "Signs sessions and forms. May be changed at any time.",
        "LINK_KEY": "Signs the links in mails. Keep it for ever: changing it breaks every link already sent.",
        "ADDRESS_KEY": "Keys the hashes of addresses. Keep it for ever: suppressions hang on it.",
    }
    given = {name: text(name, "", meanings[name]) for name in KEY_NAMES}
    # Of a file that could not be read was told already.
    missing = [name for name, value in given.items() if not value and not os.environ.get(f"{name}_FILE")]
    if missing and required:
        wrong(f"{', '.join(missing)} must be set in production: one long random text each, kept in your backup.")
    elif missing:
        kept = _kept_keys(var_dir / "keys.json")
        given.update({name: kept[name] for name in missing})
    return given


def _kept_keys(path: Path) -> dict[str, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = {name: secrets.token_urlsafe(48) for name in KEY_NAMES}
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(fresh), encoding="utf-8")
        try:
            # A link fails where the name is taken, so of two processes that start at once one wins, whole.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found

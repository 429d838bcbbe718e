"""Reading the environment: values, files in place of values, and words instead of a traceback for what is no value."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "SETTINGS", {})
    for name in env.KEY_NAMES:
        monkeypatch.delenv(name, raising=False)


def test_a_value_is_that_of_the_environment_without_the_space_around_it(monkeypatch: pytest.MonkeyPatch):
    assert env.text("A_NAME", "as it was", "What it does.") == "as it was"
    monkeypatch.setenv("A_NAME", "  given \n")
    assert env.text("A_NAME", "as it was", "What it does.") == "given"
    assert env.SETTINGS["A_NAME"] == env.Setting("A_NAME", "as it was", "What it does.")


def test_a_file_stands_in_for_a_value_and_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.setenv("A_NAME", "given")
    monkeypatch.setenv("A_NAME_FILE", str(tmp_path / "secret"))
    assert env.text("A_NAME", "", "What it does.") == "from the file"


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("1", True),
        ("true", True),
        ("YES", True),
        ("on", True),
        ("0", False),
        ("no", False),
        ("Off", False),
        ("", False),
    ],
)
def test_a_switch_is_on_or_off(monkeypatch: pytest.MonkeyPatch, value: str, meant: bool):
    monkeypatch.setenv("A_SWITCH", value)
    assert env.flag("A_SWITCH", "What it does.") is meant


def test_a_switch_that_is_neither_is_refused_by_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_SWITCH", "maybe")
    with pytest.raises(ImproperlyConfigured, match="A_SWITCH must be 1 or 0, not 'maybe'"):
        env.flag("A_SWITCH", "What it does.")


@pytest.mark.parametrize("value", ["eighty", "-1", "8.5"])
def test_a_number_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("A_PORT", value)
    with pytest.raises(ImproperlyConfigured, match="A_PORT must be a whole number"):
        env.number("A_PORT", 8000, "What it does.")


def test_a_number_left_empty_is_the_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_PORT", "")
    assert env.number("A_PORT", 8000, "What it does.") == 8000


def test_a_list_is_parted_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_LIST", "one, two three,,")
    assert env.items("A_LIST", "What it does.") == ("one", "two", "three")


def test_a_providers_own_settings_are_passed_on_without_the_prefix(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANYMAIL_POSTMARK_SERVER_TOKEN", "t")
    assert env.prefixed("ANYMAIL_")["POSTMARK_SERVER_TOKEN"] == "t"


def test_the_keys_of_one_machine_are_made_once_and_for_its_owner_alone(tmp_path: Path):
    first = env.keys(var_dir=tmp_path / "new", required=False)
    path = tmp_path / "new" / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(first) == set(env.KEY_NAMES)
    assert len(set(first.values())) == 3
    assert min(map(len, first.values())) >= 60
    assert env.keys(var_dir=tmp_path / "new", required=False) == first
    assert [child.name for child in path.parent.iterdir()] == ["keys.json"]


def test_programs_that_start_at_once_agree_on_the_keys(tmp_path: Path):
    gate, found = threading.Barrier(8), []

    def start() -> None:
        gate.wait()
        found.append(json.dumps(env.keys(var_dir=tmp_path, required=False)))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_given_key_is_used_and_not_written_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LINK_KEY", "given")
    assert env.keys(var_dir=tmp_path, required=False)["LINK_KEY"] == "given"
    assert "given" not in (tmp_path / "keys.json").read_text()


def test_production_makes_no_keys_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SECRET_KEY", "given")
    with pytest.raises(ImproperlyConfigured, match="LINK_KEY, ADDRESS_KEY must be set in production"):
        env.keys(var_dir=tmp_path, required=True)
    assert not list(tmp_path.iterdir())


PRODUCTION = {
    "DATABASE_URL": "postgresql://db.example.org/papers",
    "SITE_URL": "https://papers.example.org",
    "SECRET_KEY": "one-0123456789abcdefghijklmnopqrstuvwxyz",
    "LINK_KEY": "two-0123456789abcdefghijklmnopqrstuvwxyz",
    "ADDRESS_KEY": "three-0123456789abcdefghijklmnopqrstuvwxyz",
    "POSTAL_ADDRESS": "1 Example Street",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"OFFLINE": "perhaps"}, "OFFLINE must be 1 or 0"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8 proxy"}, "TRUSTED_PROXIES must hold addresses or networks"),
        ({"BOUNCE_ADDRESS": "Bounces <bounce@example.org>"}, "BOUNCE_ADDRESS must be a bare address"),
        ({"PORT": "http"}, "PORT must be a whole number"),
        ({"SITE_URL": "papers.example.org"}, "SITE_URL must be an address like"),
        ({"EDITION_CUTOFF": "seven"}, "EDITION_CUTOFF must be a time of day like 07:00"),
        ({"EMAIL_PROVIDER": "ses"}, "EMAIL_PROVIDER=ses needs the AWS client"),
        ({"EMAIL_PROVIDER": "pigeon"}, "EMAIL_PROVIDER is 'pigeon': it must be smtp, or a provider"),
        ({"DATABASE_URL": "postgresql://db.example.org/papers"}, "SECRET_KEY, LINK_KEY, ADDRESS_KEY must be set"),
        ({**PRODUCTION}, "EMAIL_PROVIDER is '': it must be smtp, or a provider"),
        ({**PRODUCTION, "EMAIL_PROVIDER": "outbox"}, "EMAIL_PROVIDER=outbox is for one machine"),
        ({**PRODUCTION, "EMAIL_PROVIDER": "postmark"}, "WEBHOOK_SECRET must be set"),
    ],
)
def test_what_cannot_be_is_said_by_name_when_the_program_starts(given: dict[str, str], message: str, tmp_path: Path):
    environment = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), **given}
    done = subprocess.run(
        # As where the AWS client is not installed.
        [sys.executable, "-c", "import sys; sys.modules['boto3'] = None; import config.settings"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert message in done.stderr.partition("ImproperlyConfigured: ")[2]


def test_a_providers_credentials_are_passed_on_from_variables_and_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    secret = tmp_path / "token"
    secret.write_text("from-a-file\n")
    monkeypatch.setenv("ANYMAIL_POSTMARK_SERVER_TOKEN_FILE", str(secret))
    monkeypatch.setenv("ANYMAIL_MAILGUN_API_KEY", "from-a-variable")
    given = env.prefixed("ANYMAIL_")
    assert given["POSTMARK_SERVER_TOKEN"] == "from-a-file"
    assert given["MAILGUN_API_KEY"] == "from-a-variable"


@pytest.mark.parametrize("content", [None, b"", b"  \n", b"\xff\xfehush"])
def test_a_file_that_holds_no_value_is_told_by_name_and_never_by_what_is_in_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
):
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    for ask in (lambda: env.text("A_NAME", "", "What it does."), lambda: env.prefixed("A_")):
        monkeypatch.setenv("A_NAME_FILE", str(secret))
        with pytest.raises(ImproperlyConfigured, match=r"A_NAME_FILE is .*, which (cannot be read|is empty)") as found:
            ask()
        assert "hush" not in str(found.value)


def test_every_setting_may_be_given_as_a_file(tmp_path: Path):
    ask = "import json, config.settings as s; from config.env import SETTINGS; print(json.dumps(list(SETTINGS)))"
    names = json.loads(run_settings(ask, {"VAR_DIR": str(tmp_path)}))
    given = {"VAR_DIR": str(tmp_path)}
    secret = (
        "SECRET_KEY LINK_KEY ADDRESS_KEY SECRET_KEY_FALLBACKS WEBHOOK_SECRET METRICS_TOKEN EMAIL_HOST_PASSWORD"
        " DATABASE_URL REDIS_URL BOUNCE_MAILBOX SUMMARY_KEY DKIM_KEY"
    )
    assert set(secret.split()) <= set(names)
    for name in ("LINK_KEY", "METRICS_TOKEN", "EMAIL_HOST_PASSWORD", "REDIS_URL", "SUMMARY_KEY"):
        (tmp_path / name).write_text(f"{name}-from-its-file\n")
        given[f"{name}_FILE"] = str(tmp_path / name)
    for name in ("LINK_KEY", "METRICS_TOKEN", "EMAIL_HOST_PASSWORD", "REDIS_URL", "SUMMARY_KEY"):
        assert run_settings(f"import config.settings as s; print(s.{name})", given) == f"{name}-from-its-file"


def run_settings(code: str, given: dict[str, str]) -> str:
    """What a few lines print in a process of their own, in this environment alone."""
    environment = {"PATH": os.environ["PATH"], **given}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()

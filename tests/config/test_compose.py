"""The compose file, held against what we promise of it, without a container."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
OURS = ("web", "worker", "learner", "beat", "migrate")


def faults(file: dict[str, Any]) -> list[str]:
    """Names that lead nowhere. That each key is one of the specification is a part of `make check`."""
    found = []
    for name, service in file["services"].items():
        found += [f"{name} -> {other}" for other in service.get("depends_on") or {} if other not in file["services"]]
        found += [
            f"{name}: network {network}" for network in service.get("networks", []) if network not in file["networks"]
        ]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if not source.startswith((".", "/")) and source not in file["volumes"]:
                found.append(f"{name}: volume {source}")
    return found


@pytest.fixture
def file() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
    return found


def test_every_name_in_it_leads_somewhere(file: dict[str, Any]):
    assert faults(file) == []


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (
            lambda file: file["services"]["web"].update(depends_on={"databse": {"condition": "service_healthy"}}),
            "databse",
        ),
        (lambda file: file["services"]["web"].update(networks=["inner"]), "network inner"),
        (lambda file: file["services"]["web"].update(volumes=["keptt:/x"]), "volume keptt"),
    ],
)
def test_a_slip_of_the_pen_is_found(file: dict[str, Any], spoil: Any, named: str):
    spoil(file)
    assert any(named in fault for fault in faults(file))


@pytest.mark.parametrize("name", ["database", "valkey", "proxy", "mailcatcher"])
def test_nobody_elses_program_can_do_more_than_it_needs(file: dict[str, Any], name: str):
    service = file["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    # Becoming the user they run as, and making the folder with the data theirs.
    assert set(service.get("cap_add", [])) <= {
        "CHOWN",
        "DAC_READ_SEARCH",
        "FOWNER",
        "NET_BIND_SERVICE",
        "SETGID",
        "SETUID",
    }


@pytest.mark.parametrize("name", OURS)
def test_our_processes_can_do_no_more_than_they_need(file: dict[str, Any], name: str):
    service = file["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert not service.get("privileged")
    assert name == "migrate" or (
        service["healthcheck"]["test"] and service["mem_limit"] and service["stop_grace_period"]
    )


def test_every_process_has_its_share_of_memory_and_no_more(file: dict[str, Any]):
    for name, service in file["services"].items():
        assert service["pids_limit"] > 0, name
        assert name == "migrate" or service["mem_limit"], name


@pytest.mark.parametrize("name", ["database", "valkey", "proxy", "mailcatcher"])
def test_who_is_not_of_our_program_gets_none_of_its_secrets(file: dict[str, Any], name: str):
    service = file["services"][name]
    assert "env_file" not in service
    assert set(service.get("environment", {})) <= {"SITE_URL", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"}
    assert name == "database" or "POSTGRES_PASSWORD" not in service.get("environment", {})


def test_nothing_inside_is_reached_from_outside(file: dict[str, Any]):
    assert file["networks"]["inside"]["internal"] is True
    for name in ("database", "valkey"):
        assert file["services"][name]["networks"] == ["inside"]
        assert "ports" not in file["services"][name]
    for name, service in file["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:") or name == "proxy"


def test_no_secret_stands_in_the_file_or_in_the_image(file: dict[str, Any]):
    text = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
    assert "PASSWORD: ${POSTGRES_PASSWORD:?" in text
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"
    assert not any(line in {"!.env", "!var", "!docs", "!tests"} for line in ignored)


def test_images_are_named_by_a_version_and_without_a_digest(file: dict[str, Any]):
    images = [service["image"] for service in file["services"].values() if service["image"] != "daily-papers"]
    images += re.findall(r"^FROM (\S+)", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for image in images:
        assert re.search(r":v?\d", image), image
        assert "@sha256" not in image


def test_every_line_of_the_example_is_a_setting(file: dict[str, Any]):
    from config.env import SETTINGS

    lines = (REPOSITORY / "docs" / "env.example").read_text(encoding="utf-8").splitlines()
    names = {line.lstrip("# ").partition("=")[0] for line in lines if re.match(r"(# )?[A-Z_]+=", line)}
    ours = names - {"POSTGRES_PASSWORD"} - {name for name in names if name.startswith(("ANYMAIL_", "AWS_"))}
    assert ours <= set(SETTINGS), sorted(ours - set(SETTINGS))
    assert {"SITE_URL", "SECRET_KEY", "LINK_KEY", "ADDRESS_KEY", "POSTAL_ADDRESS", "TRUSTED_PROXIES"} <= names


def test_the_proxy_asks_whether_the_site_is_alive_by_a_name_that_the_site_answers_to():
    from django.conf import settings

    caddy = (REPOSITORY / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    asked = re.search(r"health_headers \{\s+Host (\S+)\s+\}", caddy)
    assert asked, "Caddy would ask for web:8000, be answered 400, and take the site for dead."
    assert asked[1] in settings.ALLOWED_HOSTS


def test_every_secret_can_be_a_file_and_each_file_is_handed_to_who_reads_it(file: dict[str, Any]):
    from config.env import SETTINGS

    more = yaml.safe_load((REPOSITORY / "docker-compose.secrets.yml").read_text(encoding="utf-8"))
    assert set(more["services"]) == {*OURS, "database"}
    for name, service in more["services"].items():
        assert set(service["secrets"]) <= set(more["secrets"])
        for key, path in service["environment"].items():
            if key.endswith("_FILE"):
                assert path.removeprefix("/run/secrets/") in service["secrets"], key
                assert name == "database" or key.removesuffix("_FILE") in SETTINGS, key
    # PostgreSQL's image refuses a password that is given in both ways.
    assert more["services"]["database"]["environment"]["POSTGRES_PASSWORD"] == ""

"""What is logged, as people and as machines read it, and what never is."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from config import logs
from subscriptions.addresses import hash_address

ADDRESS = "ada.lovelace+papers@mail.example.org"


@pytest.fixture
def ids() -> Iterator[None]:
    tokens = [
        (var, var.set(value))
        for var, value in ((logs.request_id, "r1"), (logs.task_id, "t1"), (logs.task_name, "send"))
    ]
    yield
    for var, token in tokens:
        var.reset(token)


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("papers.tasks", logging.WARNING, __file__, 1, message, args, exc_info)


@pytest.mark.parametrize("formatter", [logs.Lines(), logs.JsonLines()])
@pytest.mark.parametrize(
    "text",
    [
        ADDRESS,
        f"<{ADDRESS}>",
        f"b'550 5.1.1 <{ADDRESS}>: unknown'",
        f"email={ADDRESS}&x=1",
        f"/sign-in/?email={ADDRESS.replace('@', '%40')}",
        f'"Ada" <{ADDRESS}>',
        ADDRESS.upper(),
    ],
)
def test_no_line_holds_an_address(formatter: logging.Formatter, text: str):
    for made in (record(text), record("said %s", text), record("x", error=ValueError(text))):
        line = formatter.format(made)
        assert "lovelace" not in line.lower()
        assert "address-" in line


@pytest.mark.parametrize(
    "address", ["ädä@bücher.example", '"ada l"@example.org', "o'brien@example.org", "a@b.co", "x=y@example.org"]
)
def test_odd_addresses_are_hashed_too(address: str):
    assert "@" not in logs.without_secrets(f"to {address} it went")


def test_one_address_is_one_hash_and_it_is_ours():
    said = logs.without_secrets(f"{ADDRESS} and {ADDRESS}")
    assert said == f"address-{hash_address(ADDRESS)[:12]} and address-{hash_address(ADDRESS)[:12]}"


def test_what_is_no_address_stays():
    for text in ("celery@host ready", "5 @ 3", "arxiv:2509.02547", "@papers", "a@b"):
        assert logs.without_secrets(text) == text


def test_tokens_of_links_are_cut_out():
    assert logs.without_secrets("GET /manage/1abc.def-ghi/pause/") == "GET /manage/…/pause/"


def test_a_line_of_json_has_what_a_machine_asks_for(ids: None):
    try:
        raise ValueError("no")
    except ValueError as error:
        said = json.loads(logs.JsonLines().format(record("sent %d", 3, error=error)))
    assert said["message"] == "sent 3"
    assert (said["request"], said["task"], said["task_id"]) == ("r1", "send", "t1")
    assert said["level"] == "WARNING"
    assert said["at"].endswith("+00:00")
    assert said["traceback"].endswith("ValueError: no")


def test_a_line_for_people_has_the_ids_behind_it(ids: None):
    assert logs.Lines().format(record("sent")).endswith("papers.tasks: sent (request=r1 task=send[t1])")


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_each_request_has_an_id_in_its_answer_and_in_its_lines(client: Client, capsys: pytest.CaptureFixture[str]):
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logs.JsonLines())
    logging.getLogger("config.requests").addHandler(handler)
    try:
        answer = client.get("/about/")
    finally:
        logging.getLogger("config.requests").removeHandler(handler)
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert said["request"] == answer["X-Request-ID"]
    assert (said["route"], said["status"], said["method"]) == ("site:about", 200, "GET")


@pytest.mark.django_db
def test_an_id_is_believed_from_our_own_proxy_alone(client: Client, settings: Settings):
    import ipaddress

    given = {"X-Request-ID": "from-the-proxy-1"}
    assert client.get("/healthz", headers=given)["X-Request-ID"] != "from-the-proxy-1"
    settings.TRUSTED_PROXIES = (ipaddress.ip_network("127.0.0.0/8"),)
    assert client.get("/healthz", headers=given)["X-Request-ID"] == "from-the-proxy-1"
    for bad in ("x", "a b c d e f g h", "<script>alert(1)</script>", "y" * 200):
        assert client.get("/healthz", headers={"X-Request-ID": bad})["X-Request-ID"] != bad

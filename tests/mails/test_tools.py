"""Every mail before the programs that judge mail: two spam filters, a mail store, and what knows mail programs, HTML
and accessibility. `make mailcheck` installs them; where one is missing its tests are skipped, and say so."""

import datetime as dt
import json
import re
import subprocess
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import dkim
import pytest
import time_machine
from playwright.sync_api import Browser, sync_playwright
from pytest_django import Settings

from mailer.dkim import load_key, make_key
from mailer.messages import Message
from tests.find_browser import WHAT_TO_DO, find_browser
from tests.mails import dovecot, rspamd, tools
from tests.mails.samples import NAMES, make_mail

pytestmark = [pytest.mark.mailtools, pytest.mark.slow]

DOMAIN = "papers.example.org"
PEMS = {"papers": make_key("rsa"), "second": make_key("ed25519")}
MOST_POINTS = 0.1
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
ZONE = {
    DOMAIN: {"TXT": ["v=spf1 ip4:192.0.2.1 -all"], "A": ["192.0.2.1"], "MX": [f"10 {DOMAIN}."]},
    "1.2.0.192.in-addr.arpa": {"PTR": [f"{DOMAIN}."]},
    f"_dmarc.{DOMAIN}": {"TXT": ["v=DMARC1; p=reject"]},
    **{f"{name}._domainkey.{DOMAIN}": {"TXT": [load_key(name, pem).record()]} for name, pem in PEMS.items()},
}
# What some mail programs lack, and what happens there. Nothing else may be used that Gmail, Outlook or Apple Mail do
# not know. The facts are caniemail's; where it says something new, these tests fail.
ENHANCEMENTS = {
    "@media": "there the mail stays light, or the program darkens it by itself",
    "color-scheme meta tag": "the same",
    "<style> element": "the same; all else stands in attributes",
    "display:none": "the preheader is read as the first line, and is made to look like one",
    "overflow": "the preheader is hidden by mso-hide",
    "max-height property": "the same",
    "word-break": "a very long word may stick out",
    "border-radius": "corners are square",
    "role attribute": "tables may be read out as tables",
    "<body> element": "its colour is on the table inside as well",
}
# Outdated in HTML, and the only thing that Outlook's Word understands.
PRESENTATIONAL = {"no-deprecated-attr"}


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    settings.SITE_URL, settings.MAIL_DOMAIN = f"https://{DOMAIN}", DOMAIN
    settings.DEFAULT_FROM_EMAIL = f"Daily Papers <mail@{DOMAIN}>"
    settings.POSTAL_ADDRESS = "1 Example Street, 12345 Example Town"
    settings.DKIM_DOMAIN, settings.DKIM_KEYS = DOMAIN, tuple(PEMS.items())


def source_of(name: str) -> bytes:
    return make_mail(name, now=NOW).wire(eightbit=True)


def html_of(message: Message) -> str:
    return str(message.alternatives[0].content)


def write_all(folder: Path) -> list[str]:
    files = []
    for name in NAMES:
        path = folder / f"{name}.html"
        path.write_text(html_of(make_mail(name)))
        files.append(str(path))
    return files


# --- spam filters -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not tools.has_spamassassin(), reason="SpamAssassin is not installed: make mailcheck")
@pytest.mark.parametrize("name", NAMES)
def test_spamassassin_finds_nothing_to_say(name: str, tmp_path: Path):
    # Its local rules alone: it asks nobody.
    command = ["spamassassin", "-L", "-t", "-p", str(tmp_path / "prefs"), f"--siteconfigpath={_site_config(tmp_path)}"]
    done = subprocess.run(command, input=source_of(name), capture_output=True, check=True, timeout=60)
    said = done.stdout.decode("utf-8", "replace").rpartition("Content analysis details:")[2]
    points = re.search(r"\((-?[\d.]+) points", said)
    assert points, done.stderr.decode()
    assert float(points[1]) <= MOST_POINTS, said


def _site_config(folder: Path) -> Path:
    """Its ordinary rules, and no user's learned ones; not the one that takes a link's signature, which is chance, for a
    Bitcoin wallet now and then."""
    config = folder / "config"
    config.mkdir()
    for file in Path("/etc/spamassassin").glob("*.pre"):
        (config / file.name).write_bytes(file.read_bytes())
    (config / "local.cf").write_text("use_bayes 0\nuse_auto_whitelist 0\nscore PDS_BTC_ID 0\n")
    return config


@pytest.fixture(scope="module")
def judge() -> Iterator[rspamd.Judge]:
    if not rspamd.is_installed():
        pytest.skip("rspamd is not installed: make mailcheck")
    with rspamd.rspamd(ZONE) as running:
        yield running


def ask(judge: rspamd.Judge, source: bytes, ip: str = "192.0.2.1") -> rspamd.Verdict:
    return judge(source, sender=f"mail@{DOMAIN}", recipient="ada@reader.example.net", ip=ip, helo=DOMAIN)


@pytest.mark.parametrize("name", NAMES)
def test_rspamd_lets_every_mail_pass_and_believes_whom_it_is_from(judge: rspamd.Judge, name: str):
    verdict = ask(judge, source_of(name))
    assert verdict.action == "no action", verdict
    assert verdict.score <= MOST_POINTS, verdict
    assert {"R_DKIM_ALLOW", "R_SPF_ALLOW", "DMARC_POLICY_ALLOW"} <= set(verdict.symbols), verdict


def test_rspamd_does_tell_a_forged_mail_from_a_true_one(judge: rspamd.Judge):
    forged = source_of("digest").replace(b"Subject: ", b"Subject: Win ", 1)
    verdict = ask(judge, forged, ip="198.51.100.7")
    assert "DMARC_POLICY_REJECT" in verdict.symbols
    assert verdict.score > ask(judge, source_of("digest")).score + 2


# --- the mailbox ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store() -> Iterator[dovecot.Store]:
    if not dovecot.is_installed():
        pytest.skip("Dovecot is not installed, or this is not root: make mailcheck")
    with dovecot.dovecot() as running:
        yield running


@pytest.mark.parametrize("name", NAMES)
def test_what_a_mail_program_reads_back_is_what_was_sent(store: dovecot.Store, name: str):
    # Signed links hold the second in which they were made, and both were made in one.
    with time_machine.travel(NOW, tick=False):
        sent, message = source_of(name), make_mail(name, now=NOW)
    user = name.replace("_", "-")
    store.deliver(sent, recipient=user)
    (kept,) = store.fetch(user)
    assert kept.endswith(sent)
    # Strict parsing raises where anything is not as the standards say.
    parsed = message_from_bytes(kept, policy=policy.default.clone(raise_on_defect=True))
    texts = {part.get_content_type(): part.get_content() for part in parsed.iter_parts()}  # type: ignore[attr-defined]
    assert texts["text/plain"].replace("\r\n", "\n") == message.body
    assert texts["text/html"].replace("\r\n", "\n").strip() == html_of(message).strip()
    assert parsed["Subject"] == message.subject
    assert [_is_good(kept, place) for place in range(len(PEMS))] == [True, True]


def _is_good(source: bytes, place: int) -> bool:
    def published(name: bytes, timeout: int = 5) -> bytes:
        return str(ZONE[name.decode().rstrip(".")]["TXT"][0]).encode()

    return bool(dkim.DKIM(source).verify(idx=place, dnsfunc=published))


# --- mail programs, HTML, accessibility -------------------------------------------------------------------------------

needs_node = pytest.mark.skipif(not tools.has_node_tools(), reason="Node's tools are not installed: make mailcheck")


@needs_node
def test_gmail_outlook_and_apple_mail_know_all_that_is_used_but_for_the_listed(tmp_path: Path):
    script = Path(__file__).with_name("clients.mjs")
    command = ["node", str(script), str(tools.NODE_FOLDER), *write_all(tmp_path)]
    lacking = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
    assert {feature: clients for feature, clients in lacking.items() if feature not in ENHANCEMENTS} == {}
    assert set(ENHANCEMENTS) == set(lacking), "an enhancement that all know by now needs no place in the list"


@needs_node
def test_the_html_is_valid(tmp_path: Path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"root": True, "extends": ["html-validate:standard"]}))
    program = tools.NODE_FOLDER / "node_modules" / ".bin" / "html-validate"
    command = [str(program), "--config", str(config), "--formatter", "json", *write_all(tmp_path)]
    # Into a file: it leaves before a pipe has taken all of it.
    with (tmp_path / "report.json").open("wb") as out:
        subprocess.run(command, stdout=out, check=False, timeout=120)
    found = {
        f"{Path(report['filePath']).name}: {message['ruleId']}: {message['message']}"
        for report in json.loads((tmp_path / "report.json").read_text())
        for message in report["messages"]
        if message["ruleId"] not in PRESENTATIONAL
    }
    assert found == set()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        pytest.skip(WHAT_TO_DO)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        running = playwright.chromium.launch(executable_path=str(path), args=flags)
        yield running
        running.close()


@needs_node
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_barrier(browser: Browser, name: str, scheme: str):
    page = browser.new_page(viewport={"width": 375, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    try:
        page.set_content(html_of(make_mail(name)))
        page.add_script_tag(path=str(tools.NODE_FOLDER / "node_modules" / "axe-core" / "axe.min.js"))
        found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']})")
        assert found["passes"]
        assert [(problem["id"], problem["nodes"][0]["html"]) for problem in found["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
    finally:
        page.close()

"""An OAI-PMH server for tests: arXiv's records of any days, in pages, with tokens that can run out."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.servers import Received, Reply


@dataclass(frozen=True)
class OaiRecord:
    """A paper as arXiv's repository has it."""

    id: str
    day: dt.date
    title: str = "A paper of the repository"
    sets: tuple[str, ...] = ("cs:cs:CL",)

    def as_xml(self) -> str:
        # What is dated Monday was announced on Sunday evening, and submitted on Friday at the latest.
        created = self.day - dt.timedelta(days=3 if self.day.weekday() == 0 else 1)
        sets = "".join(f"<setSpec>{name}</setSpec>" for name in self.sets)
        return (
            f"<record><header><identifier>oai:arXiv.org:{self.id}</identifier><datestamp>{self.day}</datestamp>{sets}"
            f'</header><metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{self.id}</id>'
            f"<created>{created}</created><authors><author><keyname>Lovelace</keyname><forenames>Ada</forenames>"
            f"</author></authors><title>{self.title}</title><categories>cs.CL</categories>"
            f"<abstract>It says little.</abstract></arXiv></metadata></record>"
        )


@dataclass
class OaiServer:
    """Answers `ListRecords`; `tokens_end` makes every token handed out before no good any more."""

    records: list[OaiRecord] = field(default_factory=list)
    page_size: int = 50
    spans: list[tuple[str, str]] = field(default_factory=list)
    generation: int = 0

    def tokens_end(self) -> None:
        self.generation += 1

    def __call__(self, request: Received) -> Reply:
        query = {name: values[0] for name, values in request.query.items()}
        if token := query.get("resumptionToken"):
            assert set(query) == {"verb", "resumptionToken"}, "a token stands alone"
            generation, since, until, start = token.split("|")
            if int(generation) != self.generation:
                return self._error("badResumptionToken", "The token has run out.")
        else:
            since, until, start = query["from"], query["until"], "0"
            self.spans.append((since, until))
        return self._page(since, until, int(start), query.get("set"))

    def _page(self, since: str, until: str, start: int, _set: str | None) -> Reply:
        found = [record for record in self.records if since <= record.day.isoformat() <= until]
        if not found:
            return self._error("noRecordsMatch", "No records match.")
        page = found[start : start + self.page_size]
        following = start + len(page)
        is_last = following >= len(found)
        token = "" if is_last else f"{self.generation}|{since}|{until}|{following}"
        records = "".join(record.as_xml() for record in page)
        return self._answer(
            f"<ListRecords>{records}"
            f'<resumptionToken completeListSize="{len(found)}" cursor="{start}">{token}</resumptionToken></ListRecords>'
        )

    def _error(self, code: str, words: str) -> Reply:
        return self._answer(f'<error code="{code}">{words}</error>')

    def _answer(self, inner: str) -> Reply:
        head = "<responseDate>2026-05-05T12:00:00Z</responseDate><request>http://oai.example.org/oai</request>"
        body = f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">{head}{inner}</OAI-PMH>'
        return Reply(body=body, headers={"Content-Type": "text/xml"})


def records_of(day: dt.date, count: int, *, first: int = 1) -> Iterable[OaiRecord]:
    """So many papers announced on a day."""
    for number in range(first, first + count):
        yield OaiRecord(f"{day:%y%m}.{day.day:02}{number:03}", day, f"Paper {number} of {day:%d %B}")

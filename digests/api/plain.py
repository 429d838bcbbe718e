"""A paper as Markdown: what its page says, for people and programs that read plain text."""

import re

from django.conf import settings

from papers.models import Paper
from papers.paper_ids import public_id

_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|])")


def paper_as_markdown(paper: Paper) -> str:
    """Title, authors, facts and abstract. Signs that Markdown would take for its own are escaped."""
    links = [
        ("Abstract", paper.link),
        ("PDF", paper.pdf_link),
        ("Code", paper.code_link),
        ("Project", paper.project_link),
    ]
    parts = [
        f"# {_escaped(paper.title)}",
        _escaped(", ".join(map(str, paper.authors))),
        "*Withdrawn by its authors.*" if paper.withdrawn_at else "",
        f"Announced {paper.announced_date:%Y-%m-%d} · {_escaped(', '.join(paper.categories))}".rstrip(" ·"),
        "## Abstract",
        _escaped(paper.abstract) or "None is known.",
        "\n".join(f"- [{words}](<{url}>)" for words, url in links if url and not set("<>\n") & set(url)),
        f"{settings.SITE_URL}/papers/{public_id(paper.key)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _escaped(text: str) -> str:
    return _SIGNS.sub(r"\\\1", text)

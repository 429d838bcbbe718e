"""How a paper is called in public addresses: an arXiv id is itself, every other paper goes by its key."""

from papers.identity import KEY_LENGTH, paper_key, parse_arxiv_id, parse_doi
from papers.merging import survivor_of
from papers.models import Paper

_ARXIV = "arxiv:"


def public_id(key: str) -> str:
    """`2509.02547` for `arxiv:2509.02547`; `doi:10.1101/287961` is its own."""
    return key.removeprefix(_ARXIV)


def find_paper(text: str) -> Paper | None:
    """The paper that this id, key, DOI or address means; one that was merged into another is that other."""
    for key in _keys_of(text):
        paper = Paper.objects.select_related("merged_into").filter(key=key).first()
        if paper is not None:
            return survivor_of(paper)
    return None


def keys_meant(text: str) -> tuple[str, ...]:
    """The keys a pasted id or address may stand for; none where the text is mere words."""
    text = text.strip()
    if not (parse_arxiv_id(text) or parse_doi(text) or text.startswith(("http://", "https://"))):
        return ()
    return _keys_of(text)


def _keys_of(text: str) -> tuple[str, ...]:
    text = text.strip()
    if not text or len(text) > 2 * KEY_LENGTH or not text.isprintable():
        return ()
    found = parse_arxiv_id(text)
    if found:
        return (f"{_ARXIV}{found.id}",)
    if parse_doi(text) or text.startswith(("http://", "https://")):
        try:
            return (paper_key(doi=parse_doi(text), link=text), text)
        except ValueError:
            return ()
    return (text,)

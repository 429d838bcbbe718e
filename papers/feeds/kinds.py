"""The kinds of source we can read."""

from enum import StrEnum


class SourceKind(StrEnum):
    """Which adapter reads a source's documents."""

    ARXIV = "arxiv"
    ARXIV_API = "arxiv_api"
    ARXIV_OAI = "arxiv_oai"
    HF = "hf"
    BIORXIV = "biorxiv"
    OPENREVIEW = "openreview"
    RSS = "rss"


KIND_NAMES = {
    SourceKind.ARXIV: "arXiv announcements (RSS or Atom)",
    SourceKind.ARXIV_API: "arXiv search or list of ids (API)",
    SourceKind.ARXIV_OAI: "arXiv records (OAI-PMH)",
    SourceKind.HF: "Hugging Face Daily Papers",
    SourceKind.BIORXIV: "bioRxiv or medRxiv (API or RSS)",
    SourceKind.OPENREVIEW: "OpenReview (API v2)",
    SourceKind.RSS: "any RSS, Atom or JSON feed",
}

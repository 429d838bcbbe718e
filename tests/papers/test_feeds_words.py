"""The small rules of the adapters: names, categories, markup, links, and withdrawals."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from papers.entries import AnnouncementKind as Kind
from papers.entries import Markup
from papers.feeds import parse_feed
from papers.feeds.names import split_arxiv_names, split_names, split_raw_names
from papers.feeds.taxonomy import arxiv_categories
from papers.feeds.wording import as_text, markup_of, take, take_link, unescape_once
from papers.text import _UNWANTED, _limit_stacks, fold


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ann Lee, Bo Li", ["Ann Lee", "Bo Li"]),
        ("Ann Lee,  Deepti, Bo Li", ["Ann Lee", "Deepti", "Bo Li"]),
        ("Ann Lee (MIT, Cambridge), Bo Li (ETH (Zurich), CERN)", ["Ann Lee", "Bo Li"]),
        ("Anh (Bo) Li", ["Anh (Bo) Li"]),
        ("Ann Lee (MIT, Bo Li", ["Ann Lee (MIT", "Bo Li"]),
        ("(RAIN Collaboration)", ["(RAIN Collaboration)"]),
        ("P\\'al K\\\"onig", ["P\\'al K\\\"onig"]),
        (" , ", []),
    ],
)
def test_arxiv_names_are_split_outside_parentheses(text: str, names: list[str]) -> None:
    assert split_arxiv_names(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ann Lee, Bo Li and Cy Wu", ["Ann Lee", "Bo Li", "Cy Wu"]),
        ("Ann Lee (MIT and ETH, Zurich), Bo Li, and Cy Wu (CERN)", ["Ann Lee", "Bo Li", "Cy Wu"]),
        ("Anders Andersson", ["Anders Andersson"]),
        ("", []),
    ],
)
def test_names_as_authors_wrote_them_are_split_at_and_too(text: str, names: list[str]) -> None:
    assert split_raw_names(text) == names


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        (["Ann Lee"], ["Ann Lee"]),
        (["Ann Lee, Bo Li and Cy Wu"], ["Ann Lee", "Bo Li", "Cy Wu"]),
        (["Ann Lee, Bo Li, and Cy Wu"], ["Ann Lee", "Bo Li", "Cy Wu"]),
        (["Ann Lee & Bo Li"], ["Ann Lee", "Bo Li"]),
        (["Ann Lee, Bo"], ["Ann Lee", "Bo"]),
        (["Kukla, D., Crampton, A."], ["D. Kukla", "A. Crampton"]),
        (["Kukla, D."], ["D. Kukla"]),
        (["Kukla, D. M., de Boer, J.-P."], ["D. M. Kukla", "J.-P. de Boer"]),
        (["Kukla, Dana; Crampton, Al"], ["Dana Kukla", "Al Crampton"]),
        (["Kukla, D.", "Crampton, A. B."], ["D. Kukla", "A. B. Crampton"]),
        (["Ann Lee", "Bo Li"], ["Ann Lee", "Bo Li"]),
        (["King, Jr.", "Ann Lee"], ["King, Jr.", "Ann Lee"]),
        (["someone@example.org"], []),
        ([""], []),
        ([], []),
    ],
)
def test_names_of_any_feed_come_first_name_first(fields: list[str], names: list[str]) -> None:
    assert split_names(fields) == names


def test_only_arxivs_own_categories_are_kept_in_their_order() -> None:
    terms = ["cs.CL", "I.2.7", "68U10, 90C26", "Research Article", "cs.CL", "hep-th", "cond-mat.mtrl-sci", None, 7]
    more = ["physics.ao-ph", "astro-ph", "math-ph", "cs", "cs.cl", "cs.CLX", "stat.ML\n", "q-bio.QM"]
    assert arxiv_categories([*terms, *more]) == (
        *("cs.CL", "hep-th", "cond-mat.mtrl-sci", "physics.ao-ph", "astro-ph", "math-ph", "stat.ML", "q-bio.QM"),
    )


@pytest.mark.parametrize(
    "text",
    [
        r"T\"ULU 3",
        r"Erd\H{o}s",
        r"40\%",
        r"\textit{unique}",
        r"$\alpha$",
        "$k$-means",
        r"object\'s",
        r"\(x\)",
        "$O(n)$",
    ],
)
def test_tex_is_seen(text: str) -> None:
    assert markup_of("A title", f"Words, then {text} and more.") is Markup.TEX


@pytest.mark.parametrize(
    "text", ["costs $5 to $10", "US$5 and US$7", "at 4$ per hour", "100% of Q&A", "snake_case", "-- so", "{a}", "#1"]
)
def test_plain_words_are_no_tex(text: str) -> None:
    assert markup_of(f"It {text}.") is Markup.PLAIN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>A &amp; B</p>", "A & B"),
        ("Q&amp;A", "Q&A"),
        ("&amp;lt;", "&lt;"),
        ("$a<b$ and $c>d$", "$a<b$ and $c>d$"),
        ("<think> about <image>", "<think> about <image>"),
        ("if x<p and q>r", "if x<p and q>r"),
        (r"R\&D; a & b", r"R\&D; a & b"),
    ],
)
def test_html_becomes_text_and_what_only_looks_alike_stays(text: str, expected: str) -> None:
    assert as_text(text) == expected


def test_one_layer_of_entities_is_taken_off() -> None:
    assert unescape_once("&amp;amp; &#233; &lt;x&gt; &nosuch; &") == "&amp; é <x> &nosuch; &"


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("/papers/7", "https://base.example.org/papers/7"),
        ("//cdn.example.org/x", "https://cdn.example.org/x"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("http:///nowhere", ""),
        ("https://example.org/\u202e", ""),
        (None, ""),
    ],
)
def test_links_are_absolute_and_of_the_web(address: object, link: str) -> None:
    assert take_link(address, base="https://base.example.org/") == link


def arxiv_item(version: int, kind: str, abstract: str) -> bytes:
    item = (
        f"<item><title>A title</title><guid>oai:arXiv.org:2509.02547v{version}</guid>"
        f"<description>arXiv:2509.02547v{version} Announce Type: {kind} \nAbstract: {abstract}</description></item>"
    )
    return f'<rss version="2.0"><channel><title>t</title>{item}</channel></rss>'.encode()


@pytest.mark.parametrize(
    ("version", "kind", "abstract", "expected"),
    [
        (1, "new", "Words.", Kind.NEW),
        (1, "cross", "Words.", Kind.CROSS_LIST),
        (2, "replace", "Words.", Kind.REPLACEMENT),
        (2, "replace-cross", "Words.", Kind.REPLACEMENT),
        (2, "replace", "This paper has been withdrawn by the author.", Kind.WITHDRAWAL),
        (
            2,
            "replace-cross",
            "This submission has been withdrawn by arXiv administrators.",
            Kind.WITHDRAWAL,
        ),
        (2, "replace", "The article, due to an error, was withdrawn.", Kind.WITHDRAWAL),
        (2, "replace", "We study papers that have been withdrawn.", Kind.REPLACEMENT),
        (1, "new", "This paper has been withdrawn from another archive.", Kind.NEW),
        (1, "surprise", "Words.", Kind.NEW),
        (3, "surprise", "Words.", Kind.REPLACEMENT),
    ],
)
def test_announcement_types_are_arxivs_and_the_withdrawal(
    version: int, kind: str, abstract: str, expected: Kind
) -> None:
    [entry] = parse_feed(body=arxiv_item(version, kind, abstract), kind="arxiv").entries
    assert (entry.announcement, entry.version, entry.abstract) == (expected, version, abstract)


def fold_plainly(text: str) -> str:
    """White space folded, the way that is right for every text."""
    text = unicodedata.normalize("NFC", _limit_stacks(_UNWANTED.sub("", text)))
    return " ".join(text.split())


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("aé é \t\n\x0b\x1b\x1c\x7f\x85\xa0\u200b\u2028\ufeff\u0301$\\"), max_size=12))
def test_text_is_folded_the_same_whatever_is_in_it(text: str) -> None:
    assert fold(text) == fold_plainly(text)
    assert take(text.replace("\ufeff", "")) == fold_plainly(text.replace("\ufeff", ""))

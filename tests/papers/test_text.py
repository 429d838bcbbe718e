r"""TeX and HTML to clean text: the traps one by one, what must hold for any text, and the captured papers."""

import gzip
import json
import re
import subprocess
import sys
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from papers.management.commands.clean_text import BadLineError, answer_lines
from papers.tex import read_tex
from papers.tex.commands import COMMANDS
from papers.text import MAX_TEX_LENGTH, CleanText, clean_text, fold, html_to_text

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
CORPUS = DATA / "corpora" / "arxiv_daily.jsonl.gz"
SEED = DATA / "feeds" / "seed_daily_papers.json"


def shown(raw: str) -> str:
    clean = clean_text(raw)
    assert not clean.kept_raw
    return clean.text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (r"T\"ULU 3", "TÜLU 3"),
        (r"Erd\H{o}s", "Erdős"),
        (r"Erd\H os", "Erdős"),
        (r"na\"{\i}ve, na\"ive", "naïve, naïve"),
        (r"Schr\"odinger and Fr\'{e}chet", "Schrödinger and Fréchet"),
        (r"fa\c{c}ade, Reabilita\c{c}\~ao", "façade, Reabilitação"),
        (r"\v{S}koda and Dvo\v r\'ak", "Škoda and Dvořák"),
        (r"\L{}ukasz, \O yvind, {\L}ód\'z", "Łukasz, Øyvind, Łódź"),
        (r"Mar\'\i a", "María"),
        (r"Nguy\~{\^e}n", "Nguyễn"),
        (r"Stra\ss e, {\AA}rhus", "Straße, Århus"),
        (r"object\'s, don\'t, 4o\'s", "object's, don't, 4o's"),
        (r"\"U-Tsang", "Ü-Tsang"),
        (r"called \"quoted text\" here", 'called "quoted text" here'),
        (r"\b{eta}-VAE, \r{ho} and {\alpha}", "β-VAE, ρ and α"),  # Greek that a conversion took for accents.
    ],
)
def test_accents_become_letters(raw: str, expected: str):
    assert shown(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (r"\textit{unique} \textbf{bold} \emph{so}", "unique bold so"),
        (r"\texttt{X}, \textsf{Y}, \mbox{Z}", "X, Y, Z"),
        (r"\textbf{a \emph{b {\it c}}}", "a b c"),
        (r"\textbf{Seg}mentation, D\textbf{i}scriminative", "Segmentation, Discriminative"),
        (r"{\em some} and {\bf all}", "some and all"),
        (r"\ours achieves; \ours{} is; (\ours).", "ours achieves; ours is; (ours)."),
        (r"\method{XL} and \gemini are", "XL and gemini are"),
        (r"\eg, \ie, \etal. \etal, \wrt it", "e.g., i.e., et al. et al., w.r.t. it"),
        (r"The code\footnote{At https://a.example/x\_y.} runs", "The code (At https://a.example/x_y.) runs"),
        (r"km\textsuperscript{2}, CO\textsubscript{2}", "km², CO₂"),
        (r"360{\deg}, 90\deg{}, 45\textdegree{} wide", "360°, 90°, 45° wide"),
        (r"NVIDIA\textsuperscript{\textregistered}", "NVIDIA®"),
        (r"\verb|Llama-3_{1}| and \texttt{a\_b}", "Llama-3_{1} and a_b"),
        (r"mAP\@0.5 of NASA\@. Yes", "mAP@0.5 of NASA. Yes"),
        ('separators like "\\n\\n" too', 'separators like "\\n\\n" too'),
        (r"\textcolor{red}{Stop}", "Stop"),
        (r"\item one \item two", "• one • two"),
        (r"\\Ada Lovelace", "Ada Lovelace"),
    ],
)
def test_commands_become_what_they_wrap_or_their_name(raw: str, expected: str):
    assert shown(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (r"\href{https://a.example/c_d%20e}{the code}", "the code"),
        (r"\href{https://a.example/}{\textbf{here}}.", "here."),
        (r"\href{https://a.example/x\_y}{}", "https://a.example/x_y"),
        (r"\href{github}{https://a.example/x}", "github https://a.example/x"),  # The two the wrong way round.
        (r"\url{https://a.example/c\_d%20e~f}", "https://a.example/c_d%20e~f"),
        (r"at https://a.example/~me/a--b_c\#d.", "at https://a.example/~me/a--b_c#d."),
        (r"$\href{https://a.example/}{\text{GitHub}}$", "GitHub"),
    ],
)
def test_addresses_stay_whole_and_links_become_their_label(raw: str, expected: str):
    assert shown(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (r"as shown~\cite{a2020,b2021}, we", "as shown, we"),
        (r"as shown (\citep[see][p. 5]{b2021}). We", "as shown. We"),
        (r"by \cite {spaced2020} and others", "by and others"),
        (r"Sec.~\ref{sec:long} says", "Sec. says"),
    ],
)
def test_citations_leave_no_trace(raw: str, expected: str):
    assert shown(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (r"$\alpha$-divergence", "α-divergence"),
        (r"H$_2$O and CO$_{2}$", "H₂O and CO₂"),
        (r"10^{-3}, 10$^{-3}$, $10^{-3}$, 10^12", "10⁻³, 10⁻³, 10⁻³, 10¹²"),
        (r"$O(n^2)$ and $\mathcal{O}(n\log^2 n)$", "O(n²) and O(n log² n)"),
        (r"$3\times3$, $3 \times 3$, 9$\times$", "3×3, 3 × 3, 9×"),
        (r"$x\in X$, $a\leq b$, $\Delta E$", "x ∈ X, a ≤ b, ΔE"),
        (r"$x_i^2$, $x_{max}$, $x_{i,j}$, $e^{-x/2}$", "x_i², x_max, x_(i,j), e^(-x/2)"),
        (r"$\mathbb{R}^n$, $\mathcal{L}$, $\hat{x}$", "ℝⁿ, L, x̂"),
        (r"$\frac{1}{2}$, $\frac{a+b}{2}$, $\sqrt{2}$, $\sqrt{x+1}$", "1/2, (a+b)/2, √2, √(x+1)"),
        (r"$\left( x \right)$, $\{1,2\}$, $f'(x)$", "( x ), {1,2}, f′(x)"),
        (r"$\sim 5$, $\pm$2, $p<0.05$, $99\%$", "~5, ±2, p<0.05, 99%"),
        (r"$n^{th}$, $30^\circ$, $\tt A^\tt 3$", "nth, 30°, A³"),
        (r"so$\unicode{x2013}$called", "so–called"),
        (r"\(x^2\), \[y^2\], $$z^2$$", "x², y², z²"),
        (r"$\texttt{M$^3$Fin}$", "M³Fin"),
        (r"$a<b$ and $c>d$", "a<b and c>d"),
        (r"L_{joint}, snake_case, x^y", "L_joint, snake_case, x^y"),
        (r"10{,}000 and $5\,400$", "10,000 and 5 400"),
        (r"over $ 30\times $ faster", "over 30 × faster"),
    ],
)
def test_maths_is_readable_in_a_mail(raw: str, expected: str):
    assert shown(raw) == expected


@pytest.mark.parametrize(
    "text",
    [
        "$5 to $10",
        "$48-$74 per voter, $100 for ads",
        "$100 million and $50",
        "from $2,000 up",
        "4$ per hour",
        "Q&A, R&D, 50% more, #1, a_b",
        "10% of 20 papers & 5% of 30",
        "about ~5, (~10k), 10~50, 31.6%~99.2%",
        "<think> and <image> and a < b",
        "it's 'so' and `code`",
        "{unfinished",
        "a} b",
        "x^y",
        "Café naïve Erdős 北京",
    ],
)
def test_what_is_no_tex_stays_as_it_is(text: str):
    assert clean_text(text) == CleanText(text, kept_raw=False)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("``quoted'' and ''so''", "“quoted” and “so”"),
        ("``half\" and \"half''", "“half” and “half”"),
        ("`single' it's", "‘single’ it's"),
        ("a--b --- c -- d", "a–b — c – d"),
        ("Fig.~1, models~(LLMs), 5~GB", "Fig. 1, models (LLMs), 5 GB"),
        (r"40\% of Q\&A \#1 \$5 a\_b \{x\}", "40% of Q&A #1 $5 a_b {x}"),
        ("costs $5 and $x$ or $10", "costs $5 and x or $10"),
        ("a\n  b\t c", "a b c"),
    ],
)
def test_punctuation_and_white_space_read_well(raw: str, expected: str):
    assert shown(raw) == expected


def test_text_that_would_lose_a_word_is_kept_raw():
    raw = r"\begin{itemize} \item a \end{itemize}"
    assert clean_text(raw) == CleanText(raw, kept_raw=True)


def test_colour_names_are_words_and_stay():
    assert shown(r"{\color{blue}Code}") == "[blue] Code"


def test_failure_of_the_reader_keeps_the_raw_text(monkeypatch: pytest.MonkeyPatch):
    def fail(_text: str) -> str:
        raise IndexError

    monkeypatch.setattr("papers.text.read_tex", fail)
    assert clean_text(" a\n\\emph{b} ") == CleanText(r"a \emph{b}", kept_raw=True)


@pytest.mark.parametrize("raw", ["{" * 5_000 + "x" + "}" * 5_000, "\\hat" * 3_000, "$" + "^\\frac" * 4_000 + "$"])
def test_deep_nesting_is_kept_raw_and_never_overflows(raw: str):
    assert clean_text(raw) == CleanText(raw, kept_raw=True)


@pytest.mark.parametrize(
    "part",
    ["{", "}", "$", "\\", "$a{", "\\cite[", "\\cite{", "\\href{..", "``a", "`a", '\\"a', "^{", "\\verb|", "\\text{$"],
)
def test_repeated_openings_are_read_in_bounded_time(part: str):
    began = time.process_time()
    clean_text((part * MAX_TEX_LENGTH)[:MAX_TEX_LENGTH])
    assert time.process_time() - began < 3  # It takes 0.1 s; one search without a bound made it 6 s.


def test_text_too_long_to_read_is_folded_only():
    raw = r"\emph{word}  " * MAX_TEX_LENGTH
    assert clean_text(raw) == CleanText(" ".join(raw.split()), kept_raw=True)
    plain = "word  " * MAX_TEX_LENGTH
    assert clean_text(plain) == CleanText(" ".join(plain.split()), kept_raw=False)


def test_fold_removes_what_no_reader_should_see():
    assert fold("\x00a\u202eb\ud800\u200b c\u2066d\x1b[0m\ufeff\u00ad\U000e0041") == "ab cd[0m"
    assert fold(" a\u00a0 \r\n\u2028b\x0b") == "a b"
    assert fold("e\u0301") == "é"
    assert fold("می\u200cخواهم") == "می\u200cخواهم"


def test_towers_of_accents_are_cut_down():
    assert len(fold("a" + "\u0316\u0300" * 50_000)) < 40


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("<p>One</p><p>two<br/>three</p>", "One two three"),
        ("<b>bold</b>face and <i>so</i>", "boldface and so"),
        ("a<script>alert('x')</script>b<style>p{}</style>c", "abc"),
        ("Q&amp;A, 5 &lt; 6, &amp;lt;b&amp;gt;", "Q&A, 5 < 6, &lt;b&gt;"),
        ("H<sub>2</sub>O, 10<sup>-3</sup>, x<sup>abc</sup>", "H₂O, 10⁻³, xabc"),
        ("<ul><li>a</li><li>b</li></ul>", "a b"),
        ("<jats:title>Abstract</jats:title><jats:p>We</jats:p>", "Abstract We"),
        ('<a href="javascript:alert(1)" onclick="x()">here</a><!-- no -->', "here"),
        ("plain & simple", "plain & simple"),
        ("<p>unclosed <b>text", "unclosed text"),
    ],
)
def test_html_is_reduced_to_its_text(raw: str, expected: str):
    assert html_to_text(raw) == expected


def test_hostile_html_ends_soon():
    assert html_to_text("<div>" * 200_000 + "x") == ""
    assert html_to_text("<b>" * 4_000 + "x") == "x"


PIECES = [
    *"{}[]()$^_~\\'\"`-&%#.,",
    *(" ", "word", "Other", "x", "5", "é", "\x00", "``", "''", "\\\\"),
    *(r"\emph", r"\'e", r"\textbf{", r"\cite{", r"\href{", r"\alpha ", r"\frac", r"\sqrt[", r"\left", r"\begin{"),
    *(r"\item", r"\ours "),
]
TEX = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def words_outside_tex(raw: str) -> list[str]:
    """The words that must not be lost, told apart in another way than the code under test does."""
    raw = re.sub(r"\\(?:cite|ref)[a-z]*\*?\s*(?:\[[^\]]*\]\s*)*\{[^{}]*\}", " ", raw)
    raw = re.sub(r"\\(?:href|url)\{\S*?[./:#]\S*?\}|(?:https?://|www\.)[^\s{}]+", " ", raw)
    raw = re.sub(r"\$\$.*?\$\$|\$[^$]*\$|\\\(.*?\\\)|\\\[.*?\\\]", " ", raw)
    return re.findall(r"[^\W\d_]{4,}", bare(re.sub(r"\\(?:[A-Za-z]+|.)", " ", raw)))


def lost_words(read: CleanText, raw: str) -> list[str]:
    text = bare(read.text)
    return [word for word in words_outside_tex(fold(raw)) if word not in text]


def bare(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


@settings(max_examples=150, deadline=None)
@given(TEX)
def test_any_tex_is_read_without_loss(raw: str):
    clean = clean_text(raw)
    assert clean.text == fold(clean.text)
    if clean.kept_raw:
        assert clean.text == fold(raw)
    elif "$" not in raw and "\\(" not in raw and "\\[" not in raw:
        assert lost_words(clean, raw) == []


COMMAND = st.sampled_from(sorted(COMMANDS)).map("\\{}".format)
FOLLOWING = st.sampled_from(["", " ", "{", "{}", "{x}", "[3]", "$", "}", "x", " 5", r"\unicode{x0}", r"\v", r"\'"])


@settings(max_examples=200, deadline=None)
@given(st.lists(COMMAND | FOLLOWING, max_size=20).map("".join))
def test_no_command_makes_the_reader_fail_whatever_follows(raw: str):
    text = read_tex(raw)
    assert not set(text) & set("\x1e\x1f")


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_is_folded_for_good(raw: str):
    once = fold(raw)
    assert fold(once) == once
    assert "  " not in once
    assert once == once.strip()
    assert not [letter for letter in once if unicodedata.category(letter) in {"Cc", "Cs"}]
    assert once.encode().decode() == once


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="\\${}~^`-'\"")))
def test_text_without_tex_is_only_folded(raw: str):
    assert clean_text(raw) == CleanText(fold(raw), kept_raw=False)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="<>/&;abp =\"'!-ltsricx\n", max_size=60))
def test_any_html_becomes_folded_text(raw: str):
    text = html_to_text(raw)
    assert text == fold(text)


@dataclass(frozen=True)
class Read:
    raw: str
    clean: CleanText


@pytest.fixture(scope="module")
def captured() -> list[Read]:
    """Titles, abstracts and authors of every second captured paper, and of the page the product is modelled on."""
    if not CORPUS.exists():
        pytest.skip("the captured papers are not on this machine")
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        papers = [json.loads(line) for number, line in enumerate(lines) if number % 2 == 0]
    seed = json.loads(SEED.read_text(encoding="utf-8"))
    papers += seed if isinstance(seed, list) else next(value for value in seed.values() if isinstance(value, list))
    texts = [value for paper in papers for value in paper.values() if isinstance(value, str) and " " in value]
    texts += [name for paper in papers for name in paper.get("authors", []) if isinstance(name, str)]
    return [Read(raw, clean_text(raw)) for raw in texts]


@pytest.mark.slow
def test_captured_papers_lose_no_word(captured: list[Read]):
    changed = [read for read in captured if not read.clean.kept_raw and read.clean.text != read.raw]
    lost = {read.raw[:80]: missing for read in changed if (missing := lost_words(read.clean, read.raw))}
    assert len(changed) > 1_000
    assert len(captured) > 30_000
    assert lost == {}


@pytest.mark.slow
def test_captured_papers_are_hardly_ever_kept_raw(captured: list[Read]):
    with_tex = [read for read in captured if "\\" in read.raw or "$" in read.raw]
    assert len(with_tex) > 500
    assert sum(read.clean.kept_raw for read in captured) < 0.005 * len(with_tex)


@pytest.mark.slow
def test_captured_papers_keep_hardly_any_backslash(captured: list[Read]):
    had_one = [read for read in captured if "\\" in read.raw]
    left = [read.clean.text[:80] for read in had_one if "\\" in read.clean.text]
    assert len(had_one) > 500
    assert len(left) < 0.005 * len(had_one), left


@pytest.mark.slow
def test_captured_papers_without_tex_are_left_alone(captured: list[Read]):
    plain = [read for read in captured if not re.search(r"[\\${}~^`]|--|''", read.raw)]
    assert len(plain) > 20_000
    assert [read.raw for read in plain if read.clean.text != fold(read.raw)] == []


def test_command_answers_each_line_in_its_order():
    lines = [json.dumps({"raw": raw}).encode() for raw in (r"T\"ULU 3", r"\begin{quote}", "")]
    assert [json.loads(answer) for answer in answer_lines([*lines, b"\n"])] == [
        {"text": "TÜLU 3", "kept_raw": False},
        {"text": r"\begin{quote}", "kept_raw": True},
        {"text": "", "kept_raw": False},
    ]


@pytest.mark.parametrize("line", [b"no json", b"\xff", b"[]", b"{}", b'{"raw": 5}', b'"raw"', b"[" * 100_000])
def test_command_names_the_line_it_cannot_read(line: bytes):
    answers = answer_lines([b'{"raw": "a"}', line])
    assert json.loads(next(answers))["text"] == "a"
    with pytest.raises(BadLineError, match=r"^line 2 is not"):
        next(answers)


@pytest.mark.slow
def test_command_ends_with_2_at_a_bad_line_and_has_answered_the_others():
    ran = subprocess.run(
        [sys.executable, "manage.py", "clean_text"],
        cwd=ROOT,
        input=b'{"raw": "40\\\\%"}\nnonsense\n',
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2
    assert json.loads(ran.stdout) == {"text": "40%", "kept_raw": False}
    assert b"line 2 is not JSON" in ran.stderr
    assert b"Traceback" not in ran.stderr

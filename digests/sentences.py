"""The two or three sentences of an abstract that say most: what the idea is, and what came of it. Pure.

The rule, in full:

1. An abstract that is short enough is shown whole.
2. Each sentence is read for what it does: it states an **idea** («we propose …», «this paper introduces …»), a
   **result** («outperforms», «reduces … by 40 %», «experiments show»), or says where code and data are, which the card
   links to anyway. Words and figures count, in the tables below; a sentence is as good as what it has of them.
3. The best idea is taken: of equals the earlier. Where no sentence states one, the first sentence stands in for it.
   A sentence that only adds to another («In addition, …») is worth less.
4. Then the best result among the others that fits: of equals the later, for abstracts end with what was found.
5. An idea that points back («To this end, …», «It …») takes the sentence before it along; otherwise the opening
   sentence comes along, where all three fit. Nothing is taken that would make the whole longer than `LENGTH`.
6. They are shown word for word, in the order of the abstract. Where something between two of them was left out stands
   «…».
"""

import re

LENGTH = 480
# So much of an abstract stands in a list, excerpt and folded; all of it stands on the page of the paper.
FOLDED = 1100
# A single sentence may be that much longer before it is cut at a word.
_STRETCH = 1.5
_MOST = 3
GAP = " … "

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9“\"'(])")
# A full stop behind one of these ends no sentence.
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|et al|cf|vs|etc|Fig|Eq|Sec|resp|approx|w\.r\.t)|\b[A-Z])\.$")

_PAPER = r"(?:paper|work|article|study|report|thesis|survey)"
_WE = r"\bwe (?:\w+ly )?"
_THIS = rf"\bthis {_PAPER} (?:\w+ly )?"
_SHOW = r"(?:show|demonstrate|reveal|confirm|indicate|suggest)"
_IDEA = [
    (4, rf"{_WE}(?:propose|introduce|present|develop|design|devise|describe|formulate|release|build)\b"),
    (4, rf"{_THIS}(?:proposes|introduces|presents|develops)\b"),
    (3, rf"\b(?:here|in this (?:{_PAPER}|letter)),? (?:we|i)\b"),
    (3, r"\b(?:our|the (?:key|main|core)|this) (?:key |main |core )?(?:idea|approach|method|insight)\b"),
    (2, rf"{_WE}(?:study|investigate|examine|explore|analy[sz]e|ask|revisit|consider|construct|create|train)\b"),
    (2, rf"{_THIS}(?:studies|investigates|examines|explores|reviews)\b"),
    (1, r"\b(?:a|an) (?:new|novel|simple|general|unified|principled)\b"),
]
_RESULT = [
    (4, r"\b(?:outperform\w*|surpass\w*|state[- ]of[- ]the[- ]art)\b"),
    (3, r"\b(?:achiev\w+|improv\w+|reduc\w+|increas\w+|speed\w* up|gain\w*|exceed\w*)\b"),
    (3, rf"\b(?:experiment\w*|result\w*|evaluation\w*|simulation\w*|findings)\b.*\b{_SHOW}"),
    (3, rf"{_WE}(?:show|find|demonstrate|prove|observe|report|discover|establish|obtain|measure)\b"),
    (2, r"\d(?:[\d.,]*)\s?(?:%|\\%|×|x\b|percent|times|points?\b|σ|sigma)"),
    (1, r"\b(?:faster|better|fewer|smaller|higher|lower|larger) (?:than|\w+)\b"),
]
# Where things can be had, and what might be done one day: neither idea nor result.
_ASIDE = re.compile(
    r"\b(?:code|data|models?|datasets?|project page|demo|videos?|implementation)\b.*\b(?:available|released|found at)"
    r"|https?://|github|\bwe hope|\bfuture (?:work|research)|\bwe (?:discuss|conclude|outline)\b|\bimplications\b",
    re.IGNORECASE,
)
# What cannot be understood without the sentence before it.
_POINTS_BACK = re.compile(
    r"^(?:to (?:this|that|address|tackle|overcome|bridge|fill|solve|mitigate|remedy)\b|for this\b|motivated by|it\b"
    rf"|this (?!{_PAPER})|these\b|such\b|they\b|thus\b|therefore\b|hence\b|accordingly\b|instead\b)",
    re.IGNORECASE,
)
# «In addition, we propose» is a second idea.
_ADDS = re.compile(
    r"^(?:in addition|additionally|furthermore|moreover|besides|also|specifically|finally)\b", re.IGNORECASE
)
_ADDITION = 2
_IDEA_CUES = [(weight, re.compile(cue, re.IGNORECASE)) for weight, cue in _IDEA]
_RESULT_CUES = [(weight, re.compile(cue, re.IGNORECASE)) for weight, cue in _RESULT]


def excerpt(abstract: str, *, length: int = LENGTH) -> str:
    """What the abstract says, in two or three of its own sentences, by the rule above. Never longer than `length`
    characters, but for one sentence that alone is up to half as long again; a longer one is cut at a word and ends in
    «…». An empty abstract gives an empty text."""
    sentences = split_sentences(abstract)
    whole = " ".join(sentences)
    if len(sentences) <= _MOST and len(whole) <= length:
        return whole
    taken = _join(sentences, choose_sentences(sentences, length=length))
    if len(taken) <= length * _STRETCH:
        return taken
    return f"{taken[:length].rpartition(' ')[0] or taken[:length]} …"


def fold(abstract: str, *, length: int = LENGTH, most: int = FOLDED) -> list[tuple[str, bool]]:
    """The abstract in pieces, in order, each with whether the excerpt leaves it out; no two neighbours are of a kind.

    A long abstract gives about `most` characters: sentences beyond that which the excerpt leaves out are left out here,
    too, with «…» in their place.
    """
    sentences = split_sentences(abstract)
    if len(sentences) <= _MOST and len(" ".join(sentences)) <= length:
        return [(" ".join(sentences), False)] if sentences else []
    taken = set(choose_sentences(sentences, length=length))
    room = most - sum(len(sentences[place]) for place in taken)
    pieces: list[tuple[str, bool]] = []
    for place, sentence in enumerate(sentences):
        is_folded = place not in taken
        room -= len(sentence) if is_folded else 0
        said = "…" if is_folded and room < 0 else sentence
        if not pieces or pieces[-1][1] != is_folded:
            pieces.append((said, is_folded))
        elif said != "…" or not pieces[-1][0].endswith("…"):
            pieces[-1] = (f"{pieces[-1][0]} {said}", is_folded)
    return pieces


def choose_sentences(sentences: list[str], *, length: int = LENGTH) -> list[int]:
    """The places of the sentences to show, ascending: one at least where there is any."""
    if not sentences:
        return []
    ideas = [_idea(text) for text in sentences]
    results = [_result(text) for text in sentences]
    idea = max(range(len(sentences)), key=lambda place: (ideas[place], -place))
    taken = [idea]
    for place in sorted(range(len(sentences)), key=lambda place: (results[place], place > idea, place), reverse=True):
        if results[place] and len(taken) == 1:
            taken = _with(sentences, taken, place, length=length)
    points_back = idea > 0 and _POINTS_BACK.match(sentences[idea])
    taken = _with(sentences, taken, idea - 1 if points_back else 0, length=length)
    # An abstract with too little of either is filled up from its beginning.
    for place in range(_MOST) if len(taken) == 1 else ():
        taken = _with(sentences, taken, place, length=length)
    return taken


def split_sentences(text: str) -> list[str]:
    """Sentences, verbatim, in order. Abbreviations and initials do not end one."""
    sentences: list[str] = []
    for piece in _SENTENCE_END.split(text.strip()):
        if sentences and _ABBREVIATION.search(sentences[-1]):
            sentences[-1] = f"{sentences[-1]} {piece}"
        elif piece:
            sentences.append(piece)
    return sentences


def _idea(sentence: str) -> int:
    if _ASIDE.search(sentence):
        return 0
    return _weigh(sentence, _IDEA_CUES) - (_ADDITION if _ADDS.match(sentence) else 0)


def _result(sentence: str) -> int:
    return 0 if _ASIDE.search(sentence) else _weigh(sentence, _RESULT_CUES)


def _weigh(sentence: str, cues: list[tuple[int, re.Pattern[str]]]) -> int:
    return sum(weight for weight, cue in cues if cue.search(sentence))


def _with(sentences: list[str], taken: list[int], place: int, *, length: int) -> list[int]:
    """The same places and one more, ascending, where it is there and fits."""
    longer = sorted({*taken, place})
    fits = place < len(sentences) and len(longer) <= _MOST and len(_join(sentences, longer)) <= length
    return longer if fits else taken


def _join(sentences: list[str], places: list[int]) -> str:
    text = ""
    for before, place in zip([None, *places], places, strict=False):
        gap = "" if before is None else " " if place == before + 1 else GAP
        text += f"{gap}{sentences[place]}"
    return text

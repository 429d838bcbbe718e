"""An encoder as small as can be: a text is the counts of the stems of a few subjects. It stands for a trained one in
tests, which have none."""

SUBJECTS = ("fold", "speech", "graph", "robot", "voice", "protein")
SYNONYMS = {"utterance": "speech", "conformation": "fold", "android": "robot"}


def encode(texts: list[str]) -> list[list[float]]:
    return [[float(_said(text).count(subject)) + 0.01 for subject in SUBJECTS] for text in texts]


def broken(texts: list[str]) -> list[list[float]]:
    return [[float("nan")] for _ in texts]


def _said(text: str) -> str:
    words = text.lower()
    for word, subject in SYNONYMS.items():
        words = words.replace(word, subject)
    return words

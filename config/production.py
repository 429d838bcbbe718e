"""What production must have before any of its processes starts: said all at once, in words that tell what to do."""

from collections.abc import Iterator, Mapping

# What people leave in from examples.
_EXAMPLES = ("changeme", "change-me", "secret", "example", "password", "xxxx", "django-insecure")
SHORTEST_SECRET = 32
FEWEST_SIGNS = 10


def problems(*, secrets: Mapping[str, str], postal_address: str) -> Iterator[str]:
    """What is wrong, a sentence each; no sentence holds a secret."""
    for name, value in secrets.items():
        if len(value) < SHORTEST_SECRET or len(set(value)) < FEWEST_SIGNS:
            yield f"{name} is too easy to guess: make one of {SHORTEST_SECRET} random letters or more."
        elif any(value.lower().startswith(word) for word in _EXAMPLES):
            yield f"{name} is the example's: make one of your own."
    if len(set(secrets.values())) < len(secrets):
        yield f"{', '.join(secrets)} must all be different: one that gets out shall not open the others."
    if not postal_address.strip():
        yield "POSTAL_ADDRESS must be set: the law of many countries wants it in every newsletter."


HOW_TO_MAKE_ONE = 'python3 -c "import secrets; print(secrets.token_urlsafe(48))" makes a good secret.'

"""What production must have before any of its processes starts: said all at once, in words that tell what to do."""

from collections.abc import Iterator, Mapping, Sequence

# What people leave in from examples.
_EXAMPLES = ("changeme", "change-me", "secret", "example", "password", "xxxx", "django-insecure")
SHORTEST_SECRET = 32
SHORTEST_PASSWORD = 16
FEWEST_SIGNS = 10
HOW_TO_MAKE_ONE = 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'


def problems(
    *, secrets: Mapping[str, str], former_keys: Sequence[str], passwords: Mapping[str, str], postal_address: str
) -> Iterator[str]:
    """What is wrong, a sentence each; no sentence holds a secret.

    `secrets` and `passwords` are by name. One that is empty is left alone: whether it may be, is for others to say.
    """
    for name, value in secrets.items():
        yield from _weakness(name, value, shortest=SHORTEST_SECRET)
    for value in former_keys:
        yield from _weakness("SECRET_KEY_FALLBACKS", value, shortest=SHORTEST_SECRET)
    for name, value in passwords.items():
        # Of user:password it is the password that has to be guessed.
        yield from _weakness(name, value.rpartition(":")[2], shortest=SHORTEST_PASSWORD)
    given = {name: value for name, value in (*secrets.items(), *passwords.items()) if value}
    if len(set(given.values())) < len(given):
        yield f"{', '.join(given)} must all be different: one that gets out shall not open the others."
    if not postal_address.strip():
        yield "POSTAL_ADDRESS must be set: the law of many countries wants it in every newsletter."


def _weakness(name: str, value: str, *, shortest: int) -> Iterator[str]:
    if not value:
        return
    is_one_piece_again_and_again = value in (value + value)[1:-1]
    if len(value) < shortest or len(set(value)) < FEWEST_SIGNS or is_one_piece_again_and_again:
        yield f"{name} is too easy to guess: make one of {shortest} random letters or more, with {HOW_TO_MAKE_ONE}."
    elif any(value.lower().startswith(word) for word in _EXAMPLES):
        yield f"{name} is the example's: make one of your own, with {HOW_TO_MAKE_ONE}."

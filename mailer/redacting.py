"""What others said of a mail, without the addresses in it: servers repeat whom they refuse, and what is kept of their
words must not outlive the wish to be forgotten."""

import re

# From the start of a word on, so that a long text without any address is looked through once. A local part may be
# quoted, a domain may be an address in brackets (RFC 5321, section 4.1.2).
_ADDRESS = re.compile(
    r"""(?:<|(?<![^\s<>()\[\]:;,"]))(?:"[^"]{1,64}"|[^\s<>()\[\]:;,"@]+)@(?:\[[^\]\s]*\]|[^\s<>()\[\]:;,"]+)>?"""
)
# Servers say a few hundred letters; an address that is cut off at the end is none any more.
_MOST_LETTERS = 2000


def without_addresses(words: str, *, recipient: str = "") -> str:
    """These words with «the recipient» in place of each address. `recipient` is found however it is written."""
    if len(words) > _MOST_LETTERS:
        words = words[:_MOST_LETTERS].rpartition(" ")[0] or words[:300]
    if recipient:
        words = re.sub(re.escape(recipient), "the recipient", words, flags=re.IGNORECASE)
    return _ADDRESS.sub("the recipient", words)

"""DKIM signatures for mail that leaves over SMTP (RFC 6376, and RFC 8463 for Ed25519). Pure.

Mail services that speak HTTP sign by themselves; over SMTP the server in between may, or we do. The arithmetic is that
of the `cryptography` package. What is signed are the very octets that are handed over: header lines in the «relaxed»
form, for servers on the way fold them anew, and the body in the «simple» one, which costs a hash and nothing more.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    PrivateKey: TypeAlias = RSAPrivateKey | Ed25519PrivateKey

# RFC 8058 asks for the List-* ones, and whoever could add a second From could pretend to be anybody.
SIGNED = (
    "from to subject date message-id reply-to mime-version content-type auto-submitted list-id list-unsubscribe"
    " list-unsubscribe-post feedback-id"
).split()
_OVERSIGNED = ("from",)
# RFC 8301, section 3.2.
_FEWEST_BITS = 1024
_SELECTOR = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,61}[A-Za-z0-9])?")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_SPACES = re.compile(rb"[ \t]+")


class BadKeyError(ValueError):
    """The key or its selector is of no use. The message is for the owner."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs for a domain, published under its selector."""

    selector: str
    algorithm: str  # rsa-sha256 or ed25519-sha256
    private: "PrivateKey"

    def sign(self, data: bytes) -> bytes:
        """The signature of this data."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, PKCS1v15(), hashes.SHA256())
        # RFC 8463, section 3: Ed25519 signs the hash.
        return self.private.sign(hashlib.sha256(data).digest())

    def record(self) -> str:
        """What to publish as TXT at `<selector>._domainkey.<domain>`."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = self.private.public_key()
        if isinstance(public, Ed25519PublicKey):
            octets, kind = public.public_bytes(Encoding.Raw, PublicFormat.Raw), "ed25519"
        else:
            octets, kind = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), "rsa"
        return f"v=DKIM1; k={kind}; p={base64.b64encode(octets).decode()}"


class Signer:
    """Signs for one domain, with one key or with two: RSA, which everybody checks, and Ed25519."""

    def __init__(self, domain: str, keys: Sequence[SigningKey]) -> None:
        self.domain = domain
        self.keys = tuple(keys)

    def sign(self, message: bytes) -> bytes:
        """The message with its signatures before it. Lines must end in CRLF, and no dot may be stuffed yet."""
        head, _, body = message.partition(b"\r\n\r\n")
        fields = _fields(head)
        names = [name for name in SIGNED if name in fields]
        signed = b"".join([fields[name] for name in names])
        body_hash = base64.b64encode(hashlib.sha256(_simple_body(body)).digest()).decode()
        listed = ":".join([*names, *_OVERSIGNED])
        signatures = [self._signature(key, signed, listed, body_hash) for key in self.keys]
        return b"".join([*signatures, message])

    def _signature(self, key: SigningKey, signed: bytes, listed: str, body_hash: str) -> bytes:
        facts = f"v=1; a={key.algorithm}; c=relaxed/simple;\r\n d={self.domain}; s={key.selector};"
        value = f" {facts}\r\n h={_folded_list(listed)};\r\n bh={body_hash};\r\n b="
        # Its own header line is signed too, without a line end and with nothing behind b=.
        own = _relaxed(b"DKIM-Signature:" + value.encode()).removesuffix(b"\r\n")
        found = base64.b64encode(key.sign(signed + own)).decode()
        lines = "\r\n ".join([found[start : start + 74] for start in range(0, len(found), 74)])
        return f"DKIM-Signature:{value}{lines}\r\n".encode()


def load_key(selector: str, pem: str) -> SigningKey:
    """A private key in PEM, as OpenSSL writes it; its kind is found out. Raises BadKeyError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not _SELECTOR.fullmatch(selector):
        raise BadKeyError(f"The selector must be a name of letters, digits and dashes, like 2026a, not {selector!r}.")
    try:
        # One line in the environment may stand for several.
        private = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKeyError("The key is no private key in PEM without a password.") from error
    if isinstance(private, Ed25519PrivateKey):
        return SigningKey(selector, "ed25519-sha256", private)
    if not isinstance(private, RSAPrivateKey):
        raise BadKeyError("The key must be an RSA or an Ed25519 key: DKIM knows no other.")
    if private.key_size < _FEWEST_BITS:
        raise BadKeyError(f"The RSA key has {private.key_size} bits; 2048 are usual, and none below 1024 is believed.")
    return SigningKey(selector, "rsa-sha256", private)


def make_key(kind: str) -> str:
    """A new private key in PEM, of kind rsa (2048 bits) or ed25519."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(65537, 2048)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@lru_cache(maxsize=4)
def signer_for(domain: str, keys: tuple[tuple[str, str], ...]) -> Signer | None:
    """The signer of these keys, each a selector and a PEM; None where there are none. Raises BadKeyError."""
    return Signer(domain, [load_key(selector, pem) for selector, pem in keys]) if keys else None


def _fields(head: bytes) -> dict[str, bytes]:
    """Each header line in relaxed form, by its name in small letters. Of one that occurs twice, the last: the first
    that a verifier takes (RFC 6376, section 5.4.2)."""
    lines = _FOLD.sub(b"", head).split(b"\r\n")
    return {line.partition(b":")[0].strip().lower().decode("ascii", "replace"): _relaxed(line) for line in lines}


def _relaxed(line: bytes) -> bytes:
    """RFC 6376, section 3.4.2."""
    name, _, value = line.partition(b":")
    return name.strip().lower() + b":" + _SPACES.sub(b" ", _FOLD.sub(b"", value)).strip() + b"\r\n"


def _simple_body(body: bytes) -> bytes:
    """RFC 6376, section 3.4.3: one line end at the end, whatever empty lines there were."""
    while body.endswith(b"\r\n"):
        body = body.removesuffix(b"\r\n")
    return body + b"\r\n"


def _folded_list(listed: str) -> str:
    """The names of the signed headers in lines of a length that mail likes."""
    lines, line = [], ""
    for name in listed.split(":"):
        if len(line) + len(name) > 66:
            lines.append(line)
            line = ""
        line += f"{name}:"
    return "\r\n  ".join([*lines, line]).removesuffix(":")

"""Unpack gzip and deflate piece by piece, so that a small body that swells to gigabytes is stopped on its way.

Pure: bytes in, bytes out. The caller counts what comes out and stops when it is enough.
"""

import zlib
from collections.abc import Iterable, Iterator

PIECE_BYTES = 64 * 1024
GZIP_START = 0x1F
KNOWN_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})


class DamagedPackingError(Exception):
    """The packed bytes are damaged, or end before their end. `str()` says which."""


def unpack(chunks: Iterable[bytes], *, encoding: str) -> Iterator[bytes]:
    """Yield what is packed in `chunks` in pieces of at most 64 KiB. `encoding` is one of KNOWN_ENCODINGS.

    Several gzip members in a row are one body (RFC 1952, 2.2); what follows the last one and is no member is ignored,
    as browsers do. No bytes at all are an empty body. Raises DamagedPackingError.
    """
    inflater = None
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if inflater is None:
                    inflater = zlib.decompressobj(_window_bits(encoding, rest[0]))
                elif inflater.eof:
                    if encoding == "deflate" or rest[0] != GZIP_START:
                        return
                    inflater = zlib.decompressobj(_window_bits(encoding, rest[0]))
                yield from _drain(inflater, rest)
                rest = inflater.unused_data
    except zlib.error as error:
        raise DamagedPackingError("its packing is damaged") from error
    if inflater is not None and not inflater.eof:
        raise DamagedPackingError("it ends in the middle")


def _drain(inflater: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    while True:
        piece = inflater.decompress(data, PIECE_BYTES)
        if piece:
            yield piece
        data = inflater.unconsumed_tail
        # A full piece may mean that more waits inside, although all input is taken.
        if inflater.eof or (not data and len(piece) < PIECE_BYTES):
            return


def _window_bits(encoding: str, first: int) -> int:
    """Deflate should come in a zlib wrapper (RFC 9110, 8.4.1.2), but many servers send it bare."""
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    has_wrapper = first & 0x0F == zlib.DEFLATED
    return zlib.MAX_WBITS if has_wrapper else -zlib.MAX_WBITS

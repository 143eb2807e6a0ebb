"""Masked messages and their hash in plain Python: the oracle of the native pattern (``native/include/zero/pattern.hpp``)."""

import re

from zero.infrastructure.codec.hash64_twin import hash64

MASK = b"<*>"
UNITS = frozenset(
    b"B kB KB MB GB TB PB KiB MiB GiB TiB byte bytes AM PM UTC GMT"
    b" ns us \xc2\xb5s ms s sec secs second seconds min mins minute minutes h hr hrs hour hours day days".split()
)
DATE_WORDS = frozenset(b"Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())
HEX_LETTERS_MIN = 8
HEX_GROUPS_MAX = 8
_NO_DOT = rb"A-Za-z0-9_\-/\\@%+$#~\x80-\xff"
_LEADER = re.compile(rb"\.{3,}(?=[%b])" % _NO_DOT)
_WORD = re.compile(rb"(?:[%b]|\.{1,2}(?!\.)|\.{3,}(?![%b.]))+" % (_NO_DOT, _NO_DOT))
_WORD_BYTES = frozenset(byte for byte in range(256) if _WORD.match(bytes([byte])))
_DIGITS = frozenset(b"0123456789")
_HEX = frozenset(b"0123456789abcdefABCDEF")
_SPACES = frozenset(b" \t\r\n")
_OPENERS = frozenset(b" =:,([{\t")
_JOINERS = frozenset(b" :,;|")
_URL_QUERY = re.compile(rb"\?(?=[%b.])[^ \t\r\n\"'<>()\[\]{}|]*[^ \t\r\n\"'<>()\[\]{}|.,:;!]" % _NO_DOT)
_HEX_GROUPS = re.compile(rb"(?:::)?[0-9a-fA-F]{1,4}(?:::?[0-9a-fA-F]{1,4}){0,%d}" % (HEX_GROUPS_MAX - 1))


def mask(message: str) -> str:
    """Return the message with its variable parts as ``<*>``."""
    return _Masker(message.encode()).run().decode()


def pattern_id(message: str) -> int:
    """Return the hash of the masked message."""
    return hash64(mask(message).encode())


def pattern_lines(lines: bytes) -> tuple[list[int], list[tuple[int, str]]]:
    """Return the number of each line's pattern, and the patterns in that order: id, masked text."""
    pieces = lines.split(b"\n")
    masked = [mask(line.removesuffix(b"\r").decode()) for line in (pieces if pieces[-1] else pieces[:-1])]
    texts = list(dict.fromkeys(masked))
    numbers = {text: number for number, text in enumerate(texts)}
    return [numbers[text] for text in masked], [(hash64(text.encode()), text) for text in texts]


def is_variable(word: bytes, names_value: bool = False) -> bool:
    """Say whether a word (without dots at its end) is a number, an id, a path, a host name or an address.

    What stands before an equals sign is the name of a value, not that of a host.
    """
    if any(byte in _DIGITS for byte in word) or (len(word) >= HEX_LETTERS_MIN and set(word) <= _HEX):
        return True
    slashes, dots = sum(byte in b"/\\" for byte in word), word.count(b".")
    if slashes and (slashes + dots >= 2 or (len(word) > 1 and word[0] in b"/\\")):
        return True
    return b"@" in word[1:-1] or (dots >= 2 and not names_value and word == word.lower() and word[:1].isalpha())


class _Masker:
    """One pass over a message, writing ``out``.

    While nothing but joiners and names of days and months follows, ``mask_end`` is the end of the last mask and ``date_start``
    the start of the first such name: where the next mask goes. ``host_start`` and ``host_end`` span the last word with a dot.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.out = bytearray()
        self.mask_end = self.date_start = self.host_start = self.host_end = self.leader_end = -1

    def run(self) -> bytes:
        at = 0
        while at < len(self.data):
            at = self.hex_groups(at) or self.word(at) or self.quoted(at) or self.other(at)
        return bytes(self.out)

    def hex_groups(self, at: int) -> int:
        """Take an IPv6 or MAC address or a time of day; return where it ends, or 0."""
        found = _HEX_GROUPS.match(self.data, at)
        if found is None or (at and self.data[at - 1] in _WORD_BYTES and at != self.leader_end):
            return 0
        text, stop = found.group(), found.end()
        ends = stop == len(self.data) or self.data[stop] not in _WORD_BYTES
        if not ends or text.count(b":") < 2 or not any(byte in _DIGITS for byte in text):
            return 0
        self.add_mask()
        return stop

    def word(self, at: int) -> int:
        """Take a word and mask it if it is variable; return where it ends, or 0."""
        leader = _LEADER.match(self.data, at)
        if leader is not None:
            self.leader_end = leader.end()
            self.add(leader.group())
            return self.leader_end
        found = _WORD.match(self.data, at)
        if found is None:
            return 0
        text = found.group()
        core = text.rstrip(b".")
        if is_variable(core, self.data[found.end() : found.end() + 1] == b"="):
            self.add_mask()
            self.add(text[len(core) :])
        elif core in UNITS and self.mask_end >= 0 and self.out[self.mask_end :] == b" ":
            del self.out[self.mask_end :]
            self.add(text[len(core) :])
        elif text in DATE_WORDS:
            if self.date_start < 0:
                self.date_start = len(self.out)
            self.out += text
        else:
            start = len(self.out)
            self.add(text)
            if b"." in core:
                self.host_start, self.host_end = start, len(self.out)
        return found.end()

    def quoted(self, at: int) -> int:
        """Take a quoted value: no white space in it, and not the key of a JSON object; return where it ends, or 0."""
        quote = self.data[at]
        if quote not in b"\"'" or (at and self.data[at - 1] not in _OPENERS):
            return 0
        stop = self.data.find(quote, at + 1)
        if stop < 0 or any(byte in _SPACES for byte in self.data[at:stop]):
            return 0
        if stop + 1 < len(self.data) and (self.data[stop + 1] in _WORD_BYTES or self.data[stop + 1] in b":"):
            return 0
        self.add_mask()
        return stop + 1

    def other(self, at: int) -> int:
        """Take one byte. What a mask swallows falls away: brackets behind it that hold another one, or nothing; a URL's query.

        Return where it ends.
        """
        byte = self.data[at]
        query = _URL_QUERY.match(self.data, at) if self.mask_end == len(self.out) else None
        if query is not None and b"=" in query.group():
            return query.end()
        for held in (MASK, b""):
            if byte in b")" and self.out.endswith(MASK + b" (" + held):
                del self.out[len(self.out) - len(b" (" + held) :]
                self.mask_end, self.date_start = len(self.out), -1
                return at + 1
        if byte in _JOINERS:
            self.out.append(byte)
        else:
            self.add(bytes([byte]))
        return at + 1

    def add(self, text: bytes) -> None:
        """Write text that no mask may swallow."""
        if text:
            self.out += text
            self.mask_end = self.date_start = -1

    def add_mask(self) -> None:
        """Write a mask, or none where it would only follow another one."""
        if self.mask_end >= 0:
            del self.out[self.mask_end :]
        else:
            if self.date_start >= 0:
                del self.out[self.date_start :]
            elif self.host_end >= 0 and self.out[self.host_end :] == b":":
                del self.out[self.host_start :]
            elif bytes(self.out[-1:]) in (b"<", b">") and (len(self.out) == 1 or self.out[-2] in b" "):
                del self.out[-1:]
            self.out += MASK
            self.mask_end = len(self.out)
        self.date_start = -1

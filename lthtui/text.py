"""The one boundary for text from outside on its way to a terminal: what it hides becomes visible.

Names, tags, logs, file names and messages of exceptions may carry escape sequences that move the
cursor, write the clipboard or reorder a line. Everything invisible is shown as an escape instead.
"""

from __future__ import annotations

import re

LINE_LIMIT = 2000

_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for newline and tab, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidi controls
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2"  # number signs that swallow what follows
    "\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\udfff"  # halves of pairs: undecodable bytes
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # tags and variation selectors
    "]"
)


def clean(text: str, limit: int = LINE_LIMIT) -> str:
    r"""Return `text` as it may be shown: newlines and tabs kept, whatever hides as `\x1b`.

    A line longer than `limit` characters is cut, and says so.
    """
    return "\n".join(_line(line, limit) for line in text.split("\n"))


def clean_line(text: str, limit: int = 200) -> str:
    r"""Return `text` on a single line: as `clean`, with newlines as `\n` and tabs as a space."""
    if len(text) <= limit and text.isascii() and text.isprintable():  # nearly all there is
        return text
    return _line(text.replace("\n", "\\n").replace("\t", " "), limit)


def _line(line: str, limit: int) -> str:
    if len(line) > limit:
        return _INVISIBLE.sub(_escape, line[:limit]) + f"… ({len(line):,} characters)"
    return _INVISIBLE.sub(_escape, line)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

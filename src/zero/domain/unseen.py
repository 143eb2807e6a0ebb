"""Characters that hide, move or turn text: what a terminal, or a viewer, would obey instead of showing it."""

import json
import re

# As the page has them (dom.js). Joiners (U+200C, U+200D) stay: languages and emoji need them.
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def escaped(json_text: str) -> str:
    """Return JSON of one line with an escape for each of them."""
    return UNSEEN.sub(lambda char: json.dumps(char[0])[1:-1], json_text)

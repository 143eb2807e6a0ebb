"""What attackers write into logs: markup, scripts, links and characters that deceive, each with its number in it."""

from typing import Any

CALL = "window.ran({n})"
MARKUP = (
    "<script>{call}</script>",
    "</script><script>{call}</script>",
    "<script src=//127.0.0.1/ran-{n}></script>",
    "<img src=x onerror={call}>",
    "<img src=/ran-{n}>",
    "<svg onload={call}>",
    "<svg><script>{call}</script></svg>",
    "<svg><animate onbegin={call} attributeName=x dur=1s>",
    "<body onload={call}>",
    "<iframe src='javascript:{call}'></iframe>",
    "<iframe srcdoc='<script>parent.ran({n})</script>'></iframe>",
    "<object data='javascript:{call}'></object>",
    "<embed src='javascript:{call}'>",
    "<a href='javascript:{call}' id=ran{n}>x</a>",
    "<math href='javascript:{call}'>x</math>",
    "<details open ontoggle={call}>",
    "<video><source onerror={call}></video>",
    "<audio src=x onerror={call}>",
    "<input autofocus onfocus={call}>",
    "<select autofocus onfocus={call}>",
    "<form action='javascript:{call}'><button>x</button></form>",
    "<button formaction='javascript:{call}' form=ask-form>x</button>",
    "<base href='//127.0.0.1/ran-{n}/'>",
    "<link rel=stylesheet href='/ran-{n}.css'>",
    "<meta http-equiv=refresh content='0;url=javascript:{call}'>",
    "<style>@import '/ran-{n}.css'; body {{ display: none }}</style>",
    "<template><script>{call}</script></template><p onclick={call}>",
    "<noscript><p title='</noscript><img src=x onerror={call}>'></noscript>",
    "<!--><img src=x onerror={call}>-->",
    "<![CDATA[><script>{call}</script>]]>",
    "<marquee onstart={call}>x</marquee>",
    "<x contenteditable onfocus={call} autofocus tabindex=1>",
    "<div style='background:url(/ran-{n})'>",
    "<dialog open onclose={call}><form method=dialog>",
    "<portal src='/ran-{n}'>",
    "\"><script>{call}</script>",
    "' onmouseover='{call}' x='",
    "\" autofocus onfocus=\"{call}\" x=\"",
    "javascript:{call}",
    "data:text/html,<script>{call}</script>",
    "${{{call}}} {{{{constructor.constructor('{call}')()}}}}",
    "`-{call}-`",
    "';{call}//",
    "\\u003cscript\\u003e{call}\\u003c/script\\u003e",
    "&lt;script&gt;{call}&lt;/script&gt;",
    "%3Cscript%3E{call}%3C/script%3E",
    "\ufeff<script>{call}</script>",
    "<scr\u200bipt>{call}</script>",
    "\u202e<tpircs>{call}\u202c",
    "__proto__",
)  # fmt: skip
WRAPPED = ("{0}", "x{0}", "]]>{0}", "<<{0}")
FIELD_BYTES = {"app_id": 128, "source": 255, "environment": 64, "trace_id": 64, "span_id": 32, "user_id": 128}
KEY_BYTES = 128


def payloads() -> list[str]:
    """Return 200 of them, all different."""
    made = []
    for wrapped in WRAPPED:
        for markup in MARKUP:
            text = markup.format(call=CALL.format(n=len(made)), n=len(made))
            made.append(wrapped.format(text))
    return made


def hostile(number: int, payload: str) -> dict[str, Any]:
    """Return a log with the payload in every field, cut where the field is shorter."""
    fields = {name: _cut(payload, size) for name, size in FIELD_BYTES.items()}
    level = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")[number % 6]
    return {"message": payload, "level": level, **fields, "metadata": {_cut(payload, KEY_BYTES): payload, "mark": "hostile"}}


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")

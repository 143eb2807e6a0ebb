"""What applications import: a handler for ``logging``, a sender, and what structlog, loguru, ASGI and WSGI need.

Standard library only, Python 3.9 and newer, and nothing else of zero.
"""

from zero.client.asgi import ZeroAsgiMiddleware
from zero.client.context import bind, bound, unbind
from zero.client.handler import ZeroHandler
from zero.client.options import SenderOptions
from zero.client.receipt import Receipt
from zero.client.sender import Sender
from zero.client.structured import LoguruSink, StructlogProcessor
from zero.client.wsgi import ZeroWsgiMiddleware

__all__ = [
    "LoguruSink",
    "Receipt",
    "Sender",
    "SenderOptions",
    "StructlogProcessor",
    "ZeroAsgiMiddleware",
    "ZeroHandler",
    "ZeroWsgiMiddleware",
    "bind",
    "bound",
    "unbind",
]

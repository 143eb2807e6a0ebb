"""The control messages of the door, made from the compiled contract. Batches of logs are never parsed here."""

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from zero.domain.errors import InvalidInput, TooLarge

REQUEST_BYTES_MAX = 64 * 1024


@cache
def pool() -> DescriptorPool:
    """Return the descriptors, in a pool of their own: what another package of the process registers cannot clash with them."""
    found = DescriptorPool()
    data = Path(__file__).with_name("descriptors.binpb").read_bytes()
    for file in FileDescriptorSet.FromString(data).file:
        found.AddSerializedFile(file.SerializeToString())
    return found


@cache
def _kind(name: str) -> Any:
    return GetMessageClass(pool().FindMessageTypeByName(name))


def message(name: str, **fields: Any) -> Any:
    """Return a message of the contract by its full name."""
    return _kind(name)(**fields)


def encoded(name: str, **fields: Any) -> bytes:
    """Return the bytes of a message."""
    data: bytes = message(name, **fields).SerializeToString()
    return data


def parsed(name: str, data: bytes) -> Any:
    """Return a control message that a client sent. Raises InvalidInput or TooLarge."""
    if len(data) > REQUEST_BYTES_MAX:
        raise TooLarge(f"the request has {len(data)} bytes, limit {REQUEST_BYTES_MAX}")
    try:
        found: Message = _kind(name).FromString(data)
    except DecodeError:
        raise InvalidInput(f"the request is not a {name}") from None
    return found

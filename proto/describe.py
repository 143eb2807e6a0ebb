"""Compile the contract: writes the descriptors that the gRPC door serves and reads its control messages with, and those that
the codec of PostgreSQL reads frames with (`make proto`)."""

import tempfile
from importlib import import_module
from pathlib import Path

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "src" / "zero" / "interfaces" / "ingest_grpc" / "descriptors.binpb"
LOG_TARGET = ROOT / "src" / "zero" / "infrastructure" / "postgres" / "log.binpb"
FOREIGN = (
    "google.rpc.status_pb2",
    "google.rpc.error_details_pb2",
    "grpc_health.v1.health_pb2",
    "grpc_reflection.v1alpha.reflection_pb2",
    "opentelemetry.proto.collector.logs.v1.logs_service_pb2",
)


def described() -> bytes:
    """Return the descriptor set: our own files, compiled, then those of others, each behind what it imports."""
    files = {file.name: file for file in _own()}
    for name in FOREIGN:
        _add(import_module(name).DESCRIPTOR, files)
    return FileDescriptorSet(file=files.values()).SerializeToString(deterministic=True)


def described_log() -> bytes:
    """Return the descriptor set of what a frame carries."""
    file = next(file for file in _own() if file.name == "zero/v1/log.proto")
    return FileDescriptorSet(file=[file]).SerializeToString(deterministic=True)


def _own() -> list[FileDescriptorProto]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "own.binpb"
        flags = [f"--proto_path={ROOT / 'proto'}", "--include_imports", f"--descriptor_set_out={out}"]
        if protoc.main(["protoc", *flags, "zero/v1/service.proto"]) != 0:
            raise SystemExit("the contract does not compile")
        return list(FileDescriptorSet.FromString(out.read_bytes()).file)


def _add(file: FileDescriptor, files: dict[str, FileDescriptorProto]) -> None:
    for imported in file.dependencies:
        _add(imported, files)
    files.setdefault(file.name, FileDescriptorProto.FromString(file.serialized_pb))


if __name__ == "__main__":
    TARGET.write_bytes(described())
    LOG_TARGET.write_bytes(described_log())

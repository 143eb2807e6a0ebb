"""Kills a process at the entry of its n-th system call with a side effect, of any or of one name, over all of its threads.

A seccomp filter stops the process at those calls alone, so that it runs at nearly full speed; the tracer (this process)
decides. Linux on x86-64. All waiting is done in ``Tracer.pump``: while nobody pumps, a traced process stands still at its next
side effect.
"""

import ctypes
import os
import platform
import signal
import struct
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

CALLS = {
    1: "write", 18: "pwrite64", 20: "writev", 44: "sendto", 46: "sendmsg", 74: "fsync", 75: "fdatasync", 76: "truncate",
    77: "ftruncate", 82: "rename", 83: "mkdir", 84: "rmdir", 86: "link", 87: "unlink", 257: "openat", 258: "mkdirat",
    263: "unlinkat", 264: "renameat", 265: "linkat", 296: "pwritev", 307: "sendmmsg", 316: "renameat2", 326: "copy_file_range",
}  # fmt: skip
"""Those with a side effect; ``openat`` only where it may make a file."""
ORDER = tuple(sorted(CALLS.values(), key=lambda name: (not name.startswith("rename"), name)))
"""Renames first: a part of the store becomes visible by one, and there are few of them."""
SENDS = {"write", "writev", "sendto", "sendmsg"}
MARK = 0x5A45524F
_PRCTL, _OPENAT, _O_CREAT = 157, 257, 0o100
_TRACEME, _CONT, _GETREGS, _SETOPTIONS = 0, 7, 12, 0x4200
_OPTIONS = 0x2 | 0x4 | 0x8 | 0x80 | 0x100000  # fork, vfork, clone, seccomp; all die with the tracer
_SECCOMP_STOP = 7
_ALL_THREADS = 0x40000000
_RDX, _RSI, _RDI, _NUMBER = 12, 13, 14, 15
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long
_libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)


def why_not() -> str:
    """Return why this machine cannot do it, or ''."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "ptrace points are known for Linux on x86-64 alone"
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            traced = _libc.ptrace(_TRACEME, 0, None, None) == 0
            _filter_calls()
            status = 0 if traced else 1
        finally:
            os._exit(status)
    return "this machine permits no ptrace or no seccomp filter" if os.waitpid(pid, 0)[1] else ""


def mark() -> None:
    """Tell the tracer that the process is where it is waited for."""
    _libc.prctl(MARK, 0, 0, 0, 0)


class Stuck(Exception):
    """What was waited for did not happen in time."""


@dataclass(slots=True)
class Traced:
    """A process under trace. ``kill_at`` is the number of the ``call``, from 1, at which it dies (empty: any); 0: never."""

    pid: int
    kill_at: int = 0
    call: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    marked: bool = False
    killed_at: str = ""
    threads: set[int] = field(default_factory=set)

    def arm(self, kill_at: int, call: str = "") -> None:
        """Count from here."""
        self.kill_at, self.call, self.seen = kill_at, call, Counter()

    def disarm(self) -> Counter[str]:
        """Let it live; return which side effects it had since it was armed."""
        self.kill_at = 0
        return self.seen

    def note(self, call: str) -> bool:
        """Count a side effect; say whether it is the one to die at."""
        self.seen[call] += 1
        if not self.kill_at or self.call not in ("", call):
            return False
        return (self.seen[call] if self.call else self.seen.total()) == self.kill_at


class Tracer:
    """Starts children by fork, some of them under trace, and waits for them."""

    def __init__(self) -> None:
        self._traced: dict[int, Traced] = {}
        self._threads: dict[int, Traced] = {}
        self._ended: dict[int, int] = {}
        self.alive: set[int] = set()

    def start(self, act: Callable[[], None]) -> int:
        """Run the act in a child; its exit status is 0 unless it raises."""
        pid = os.fork()
        if pid == 0:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            _run(act)
        self.alive.add(pid)
        return pid

    def start_traced(self, act: Callable[[], None], kill_at: int = 0, call: str = "") -> Traced:
        """Run the act in a child under trace."""
        pid = os.fork()
        if pid == 0:
            _libc.ptrace(_TRACEME, 0, None, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            _filter_calls()
            _run(act)
        os.waitpid(pid, 0)
        _libc.ptrace(_SETOPTIONS, pid, None, _OPTIONS)
        traced = self._traced[pid] = self._threads[pid] = Traced(pid, kill_at, call)
        self.alive.add(pid)
        self._go_on(pid)
        return traced

    def pump(self, until: Callable[[], bool], seconds: float, what: str) -> None:
        """Let everybody run until that holds. Raises Stuck."""

        def too_late(*_: object) -> None:
            raise Stuck(f"{what} took more than {seconds:g} s")

        before = signal.signal(signal.SIGALRM, too_late)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            while not until():
                self._next()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def finish(self, pid: int, seconds: float, what: str) -> int:
        """Wait for the end of a child; return its exit status (negative: the signal)."""
        self.pump(lambda: pid in self._ended, seconds, what)
        return self._ended[pid]

    def ended(self, pid: int) -> bool:
        """Say whether the child is over."""
        return pid in self._ended

    def kill(self, pid: int) -> None:
        """End a child at once."""
        if pid in self.alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.finish(pid, 30.0, "a kill")

    def close(self) -> None:
        """End all."""
        for pid in list(self.alive):
            self.kill(pid)

    def _next(self) -> None:
        pid, status = os.waitpid(-1, _ALL_THREADS)
        if os.WIFSTOPPED(status):
            self._stopped(pid, os.WSTOPSIG(status), status >> 16)
            return
        self._threads.pop(pid, None)
        if pid in self.alive:
            self.alive.discard(pid)
            self._traced.pop(pid, None)
            self._ended[pid] = os.waitstatus_to_exitcode(status)

    def _stopped(self, pid: int, number: int, event: int) -> None:
        if event == _SECCOMP_STOP:
            self._call(pid)
        elif event or pid not in self._threads or number in (signal.SIGSTOP, signal.SIGTRAP):
            self._threads.setdefault(pid, self._leader(pid))
            self._go_on(pid)
        else:
            self._go_on(pid, number)

    def _leader(self, pid: int) -> Traced:
        with suppress(OSError), Path(f"/proc/{pid}/status").open() as lines:
            leader = next(int(line.split()[1]) for line in lines if line.startswith("Tgid:"))
            if leader in self._traced:
                return self._traced[leader]
        return Traced(pid)

    def _call(self, pid: int) -> None:
        """A thread is about to do something."""
        registers = (ctypes.c_ulong * 27)()
        if _libc.ptrace(_GETREGS, pid, None, ctypes.byref(registers)) == 0:
            traced, number = self._threads.setdefault(pid, self._leader(pid)), registers[_NUMBER]
            if number == _PRCTL:
                traced.marked = traced.marked or registers[_RDI] == MARK
            elif _goes_out(pid, CALLS.get(number, ""), registers) and traced.note(CALLS[number]):
                traced.killed_at = CALLS[number]
                os.kill(traced.pid, signal.SIGKILL)
        self._go_on(pid)

    def _go_on(self, pid: int, number: int = 0) -> None:
        _libc.ptrace(_CONT, pid, None, number)


def _goes_out(pid: int, name: str, registers: "ctypes.Array[ctypes.c_ulong]") -> bool:
    """Leave out what stays inside the process (bells of one byte, pipes, events) and what it prints."""
    if name not in SENDS:
        return bool(name)
    descriptor = registers[_RDI]
    if descriptor <= 2 or (name in ("write", "sendto") and registers[_RDX] <= 1):
        return False
    with suppress(OSError):
        return str(Path(f"/proc/{pid}/fd/{descriptor}").readlink()).startswith(("/", "socket:"))
    return False


def _run(act: Callable[[], None]) -> None:
    """Do the act and end the process, without what the parent planned to do at its end."""
    status = 1
    try:
        act()
        status = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def _filter_calls() -> None:
    """Stop this process at the calls, and at the mark; all others go through."""
    load, equal, bits, answer = 0x20, 0x15, 0x45, 0x06
    program = [(load, 0, 0, 0)]
    for number in (*CALLS, _PRCTL):
        if number == _OPENAT:
            program += [(equal, 0, 3, number), (load, 0, 0, 16 + 8 * 2), (bits, 0, 1, _O_CREAT), (answer, 0, 0, 0x7FF00000)]
            program += [(load, 0, 0, 0)]
        else:
            program += [(equal, 0, 1, number), (answer, 0, 0, 0x7FF00000)]
    program.append((answer, 0, 0, 0x7FFF0000))
    code = b"".join(struct.pack("<HBBI", *step) for step in program)
    held = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("<H6xQ", len(program), ctypes.addressof(held))
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    address = ctypes.create_string_buffer(filters, len(filters))
    if _libc.prctl(_PR_SET_SECCOMP, 2, ctypes.addressof(address), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no seccomp filter")

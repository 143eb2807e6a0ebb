"""The limit of a control group, as the two versions of the kernel's interface tell it."""

import os

import pytest

from zero.embedded.memory_limit import memory_limit

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def machine(root, groups, files):
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        ("0::/\n", {}, MACHINE),
        ("0::/a/b\n", {"sys/fs/cgroup/a/b/memory.max": "max\n"}, MACHINE),
        ("0::/a/b\n", {"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "4096000\n"}, 4096000),
        ("0::/kubepods/x\n", {"sys/fs/cgroup/memory.max": "8192\n"}, 8192),
        ("4:cpu:/x\n7:memory:/x\n0::/\n", {"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "12288\n"}, 12288),
        ("7:memory,hugetlb:/docker/x\n", {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, MACHINE),
        ("4:cpu:/x\n", {"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "4096\n"}, MACHINE),
    ],
)
def test_the_least_of_all_groups_around_us_counts(tmp_path, groups, files, limit):
    assert memory_limit(machine(tmp_path, groups, files)) == limit


def test_where_there_are_no_groups_it_is_the_machine(tmp_path):
    assert memory_limit(tmp_path) == MACHINE

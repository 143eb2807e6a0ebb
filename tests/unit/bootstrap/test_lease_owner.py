"""Whose leases a drain takes."""

from zero.bootstrap.drain import lease_owner


def test_two_drains_that_share_a_host_name_and_a_process_id_are_two_owners() -> None:
    assert lease_owner(None) != lease_owner(None)


def test_a_name_that_is_given_is_kept_so_that_a_restart_need_not_wait() -> None:
    assert lease_owner("host:/data") == "host:/data"

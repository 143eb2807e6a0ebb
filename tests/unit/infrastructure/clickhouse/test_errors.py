"""Every error of the store says what to do next."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from zero.domain.errors import StoreHalted, StoreRejected, StoreUnavailable, ZeroError
from zero.infrastructure.clickhouse.errors import HALTED, REJECTED, translate


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, StoreRejected) for code in (6, 26, 27, 38, 41, 117, 469, 691)),
        *((code, StoreHalted) for code in (16, 47, 53, 60, 81, 192, 497, 516)),
        *((code, StoreUnavailable) for code in (159, 164, 202, 203, 204, 209, 210, 241, 242, 243, 252, 394, 479, 999, 1002)),
    ],
)
def test_a_code_is_data_an_operators_or_passing(code: int, kind: type[ZeroError]) -> None:
    found = translate(DatabaseError("refused", code=code))
    assert type(found) is kind
    assert getattr(found, "store_code", code) == code


def test_a_column_that_the_table_has_lost_is_not_the_fault_of_a_row() -> None:
    text = "Code: 117. DB::Exception: Unknown column with name user_id found while reading data in Native format"
    assert type(translate(DatabaseError(text, code=117))) is StoreHalted


@pytest.mark.parametrize("error", [OperationalError("timed out"), ConnectionResetError("reset"), TimeoutError()])
def test_no_answer_is_an_unknown_outcome(error: Exception) -> None:
    assert isinstance(translate(error), StoreUnavailable)


def test_no_code_is_in_two_classes() -> None:
    assert not REJECTED & HALTED

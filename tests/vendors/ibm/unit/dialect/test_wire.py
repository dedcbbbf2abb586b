"""Errors in IBM's dialect."""

from __future__ import annotations

from qwicket.model.errors import TooManyRequests, Unavailable
from qwicket.model.limits import ResponseLimits
from qwicket.vendors.ibm.dialect.wire import recast


def test_a_lack_of_memory_for_a_response_is_a_503_which_clients_retry() -> None:
    for limit in ResponseLimits.__struct_fields__:
        refused = TooManyRequests("Too large.", limit=limit, retry_after_s=2.0)
        recast_error = recast(refused)
        assert isinstance(recast_error, Unavailable)
        assert (recast_error.detail, recast_error.retry_after_s) == ("Too large.", 2.0)


def test_any_other_limit_stays_a_429() -> None:
    refused = TooManyRequests("Too many.", limit="wrong_tokens")
    assert recast(refused) is refused

"""HTTP with the manners that all clients share: deadlines, bounded retries, secrets kept."""

from qwicket.clients.http.deadlines import ends_by
from qwicket.clients.http.line import Answer, Line, NoAnswer, Request, WrongAnswer
from qwicket.clients.http.patience import Patience, Tries, insist, retry_after_s
from qwicket.clients.http.polling import Polling
from qwicket.clients.http.text import erased, header, plain

__all__ = [
    "Answer",
    "Line",
    "NoAnswer",
    "Patience",
    "Polling",
    "Request",
    "Tries",
    "WrongAnswer",
    "ends_by",
    "erased",
    "header",
    "insist",
    "plain",
    "retry_after_s",
]

"""HTTP with the manners that all clients share: deadlines, bounded retries, secrets kept."""

from qwicket.clients.http.line import Answer, Line, NoAnswer, WrongAnswer
from qwicket.clients.http.patience import Patience, Tries, insist, retry_after_s
from qwicket.clients.http.text import erased, header, plain

__all__ = [
    "Answer",
    "Line",
    "NoAnswer",
    "Patience",
    "Tries",
    "WrongAnswer",
    "erased",
    "header",
    "insist",
    "plain",
    "retry_after_s",
]

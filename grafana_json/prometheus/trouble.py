"""What is wrong with a query, in Prometheus's own words for kinds of errors."""

from http import HTTPStatus
from typing import Literal

from grafana_json.query import RequestError

Kind = Literal["bad_data", "execution", "timeout", "unavailable", "internal", "not_found", "unauthorized", "forbidden"]
STATUSES: dict[Kind, int] = {
    "bad_data": HTTPStatus.BAD_REQUEST,
    "execution": HTTPStatus.UNPROCESSABLE_ENTITY,
    "timeout": HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}


class QueryError(RequestError):
    """The query cannot be answered; the sentence says why and what would do."""

    def __init__(self, sentence: str, kind: Kind = "bad_data") -> None:
        """`kind` is what Prometheus calls errorType."""
        super().__init__(sentence)
        self.kind = kind


def cannot(sentence: str) -> QueryError:
    """What is understood, but not to be had: 422."""
    return QueryError(sentence, "execution")

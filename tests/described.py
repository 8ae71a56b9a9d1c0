"""What an OpenAPI description says of a request or an answer, for tests that hold them against it."""

from typing import Any, NamedTuple

import jsonschema


class Operation(NamedTuple):
    """One method at one path."""

    asked: jsonschema.Draft202012Validator | None
    answered: dict[int, jsonschema.Draft202012Validator | None]

    def trouble_asked(self, body: Any) -> str | None:
        """Why such a body is not described; None if it is."""
        return None if self.asked is None else _trouble(self.asked, body)

    def trouble_answered(self, status: int, body: Any) -> str | None:
        """Why such an answer is not described; None if it is."""
        if status not in self.answered:
            return f"status {status} is not described"
        validator = self.answered[status]
        return (None if body is None else "no body is described") if validator is None else _trouble(validator, body)


class Described:
    """A description, and its operations as what judges requests and answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Read the document."""
        self.document = document
        self.schemas: dict[str, Any] = document["components"]["schemas"]
        self._operations = {
            (path, method.upper()): self._read(operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if method != "parameters"
        }

    def operation(self, path: str, method: str) -> Operation:
        """The method at the path; KeyError where it is not described."""
        return self._operations[path, method]

    def _read(self, operation: dict[str, Any]) -> Operation:
        responses = self.document["components"]["responses"]
        answers = {
            int(status): responses[status] if "$ref" in answer else answer
            for status, answer in operation["responses"].items()
        }
        asked = self._validator(operation["requestBody"]) if "requestBody" in operation else None
        return Operation(asked, {status: self._validator(answer) for status, answer in answers.items()})

    def _validator(self, holder: dict[str, Any]) -> jsonschema.Draft202012Validator | None:
        if "content" not in holder:
            return None
        schema = next(iter(holder["content"].values()))["schema"]  # all forms of an answer tell the same
        return jsonschema.Draft202012Validator({**schema, "components": self.document["components"]})


def _trouble(validator: jsonschema.Draft202012Validator, body: Any) -> str | None:
    error = jsonschema.exceptions.best_match(validator.iter_errors(body))
    return None if error is None else f"{error.json_path}: {error.message:.300}"

"""Texts that others wrote, where Grafana reads Markdown or templates: shown as they are, whatever stands in them."""

import re

_MARKUP = re.compile(
    r"[!#$&()*+\-.:<=>@\[\\\]_`{|}~]"
)  # all that Markdown, its links and HTML are made of, and variables


def plain(text: str) -> str:
    """The text in Markdown, on one line; what could be markup, a link or a variable is written as entities.

    Source: https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references
    """
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", " ".join(text.split()))


def untemplated(text: str) -> str:
    """The text in a template of Go, of which nothing is run.

    Source: https://pkg.go.dev/text/template
    """
    return text.replace("{{", '{{ "{{" }}')

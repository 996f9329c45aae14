"""Reads the plain part of YAML that our own files keep to, and refuses the rest.

Block and flow mappings and lists, plain and double-quoted scalars, anchors, aliases and
``<<``; no text blocks, tags, escapes or documents in a row. Comments are cut off.
"""

import re
from typing import Any

_COMMENT = re.compile(r'^((?:[^"#]|"[^"]*"|(?<=\S)#)*?)\s*(?:(?:^|(?<=\s))#.*)?$')
_KEY = re.compile(r'("[^"]*"|[\w./<-]+):(?:\s+|$)')
_ANCHOR = re.compile(r"&([\w-]+)\s*")
_FLOW = re.compile(
    r'\s*([\[\]{},]|"[^"\\]*"|[\w./<-]+:(?=\s)|[^\[\]{},"\s][^\[\]{},]*)'
)
_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)")
_WORDS = {"": None, "null": None, "true": True, "false": False}


def read(text: str) -> Any:
    """Return what a file says.

    Raises:
        ValueError: it says it in a way that is not plain.
    """
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self._lines: list[tuple[int, str]] = []
        self._anchors: dict[str, Any] = {}
        for line in text.splitlines():
            match = _COMMENT.match(line)
            content = match[1] if match else line
            if content.strip():
                indent = len(content) - len(content.lstrip(" "))
                self._lines.append((indent, content.strip()))
        self._lines.reverse()

    def whole(self) -> Any:
        found = self._block(0)
        if self._lines:
            raise ValueError(f"not plain: {self._lines[-1][1]!r}")
        return found

    def _block(self, least: int) -> Any:
        """Return the lines that are indented at least that far and alike."""
        if not self._lines or self._lines[-1][0] < least:
            return None
        indent = self._lines[-1][0]
        found: Any = None
        while self._lines and self._lines[-1][0] == indent:
            text = self._lines.pop()[1]
            if text.startswith("- "):
                found = [] if found is None else found
                found.append(self._item(indent, text[2:].strip()))
            elif match := _KEY.match(text):
                found = {} if found is None else found
                key, value = match[1].strip('"'), text[match.end() :]
                self._put(found, key, self._value(value, indent))
            else:
                raise ValueError(f"not plain: {text!r}")
        return found

    def _item(self, indent: int, text: str) -> Any:
        if not _KEY.match(text):
            return self._value(text, indent)
        self._lines.append((indent + 2, text))
        return self._block(indent + 2)

    def _put(self, mapping: dict[str, Any], key: str, value: Any) -> None:
        if key == "<<":
            mapping.update(
                {name: one for name, one in value.items() if name not in mapping}
            )
        else:
            mapping[key] = value

    def _value(self, text: str, indent: int) -> Any:
        anchor = _ANCHOR.match(text)
        text = text[anchor.end() :] if anchor else text
        if text.startswith("*"):
            return self._anchors[text[1:]]
        found = self._block(indent + 1) if not text else _inline(text)
        if anchor:
            self._anchors[anchor[1]] = found
        return found


def _inline(text: str) -> Any:
    """Return a scalar or a flow collection."""
    if text[0] not in "[{":
        return _scalar(text)
    tokens = _FLOW.findall(text)
    if "".join(tokens).replace(" ", "") != text.replace(" ", ""):
        raise ValueError(f"not plain: {text!r}")
    tokens.reverse()
    return _flow(tokens)


def _flow(tokens: list[str]) -> Any:
    token = tokens.pop().strip()
    if token not in {"[", "{"}:
        return _scalar(token)
    items: list[Any] = []
    mapping: dict[str, Any] = {}
    while (next_one := tokens.pop().strip()) not in {"]", "}"}:
        if next_one == ",":
            continue
        if token == "{":
            mapping[next_one.removesuffix(":")] = _flow(tokens)
        else:
            tokens.append(next_one)
            items.append(_flow(tokens))
    return mapping if token == "{" else items


def _scalar(text: str) -> Any:
    if text.startswith('"'):
        if not text.endswith('"') or "\\" in text:
            raise ValueError(f"not plain: {text!r}")
        return text[1:-1]
    if text[0] in "|>!'&*%@`":
        raise ValueError(f"not plain: {text!r}")
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text

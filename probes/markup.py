"""XML from strangers: no document type, no entities, not deep, not many elements.

A document type is what entity expansion and external entities need (CWE-776, CWE-611); it is refused by the parser's
own event, so whatever the encoding.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element
from xml.parsers import expat

MAXIMUM_ELEMENTS = 20_000
MAXIMUM_DEPTH = 32


def parse_xml(body: bytes) -> Element:
    """The root element. ``ValueError`` says in words why it is no XML that we read."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    top: list[Element] = []
    path: list[Element] = []
    count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAXIMUM_ELEMENTS or len(path) >= MAXIMUM_DEPTH:
            raise ValueError(f"it has more than {MAXIMUM_ELEMENTS} elements or is deeper than {MAXIMUM_DEPTH}")
        element = Element(tag, attributes)
        (path[-1] if path else top).append(element)
        path.append(element)

    def end(tag: str) -> None:
        path.pop()

    def text(data: str) -> None:
        # What follows a child belongs to no element that is read here.
        if path and len(path[-1]) == 0:
            path[-1].text = (path[-1].text or "") + data

    def document_type(*_: object) -> None:
        raise ValueError("it has a document type, which is not read")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = document_type
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise ValueError(f"it is not well-formed XML ({str(error)[:80]})") from None
    return top[0]


def text_of(element: Element | None, tag: str) -> str:
    """The text of the first child of this name, without white space around it; "" when there is none."""
    found = None if element is None else element.find(tag)
    return "" if found is None else (found.text or "").strip()

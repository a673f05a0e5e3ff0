"""Bytes become events as WHATWG HTML, 9.2.6 has it, whatever chunks they come in."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertoken.sse import Parser, ServerSentEvent, TooLongError


def parse(*chunks: bytes, longest: int = 1_000) -> list[ServerSentEvent]:
    parser = Parser(longest)
    return [event for chunk in chunks for event in parser.feed(chunk)]


def message(data: str, id_: str = "", event: str = "message", retry: int | None = None) -> ServerSentEvent:
    return ServerSentEvent(event=event, data=data, id=id_, retry=retry)


@pytest.mark.parametrize(
    ("text", "events"),
    [
        # The examples of the standard.
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [message("YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [message("first event", "1"), message("second event"), message(" third event")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [message(""), message("\n")]),
        (b"data:test\n\ndata: test\n\n", [message("test"), message("test")]),
        # Those of the API.
        (
            b":connected\n\nretry: 2000\n\nevent: user.created\nid: MTI=\ndata: {}\n\n: heartbeat\n\n",
            [message("{}", "MTI=", "user.created")],
        ),
    ],
)
def test_a_stream_is_read_as_the_standard_reads_it(text: bytes, events: list[ServerSentEvent]) -> None:
    """Comments and blocks without data are no events, what has no blank line at its end is not complete."""
    assert parse(text) == events


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end_counts(end: bytes) -> None:
    """Those of three worlds, but none of the others that Python knows."""
    text = end.join([b"data: a\x0b\x0c\x1c\xc2\x85\xe2\x80\xa8b", b"data: c", b"", b"data: d", b"", b""])
    assert parse(text) == [message("a\x0b\x0c\x1c\x85\u2028b\nc"), message("d")]


def test_the_id_stays_until_another_one_comes() -> None:
    """One without data counts too, one with a NUL does not."""
    parser = Parser(100, "0")
    assert parser.feed(b"data: a\n\n") == [message("a", "0")]
    assert parser.feed(b"id: 1\n\nid: 2\0\ndata: b\n\nid: 3\n") == [message("b", "1")]
    assert parser.last_event_id == "1"


@pytest.mark.parametrize("text", [b"-1", b"1.5", b"soon", b"", b"9" * 5_000, "٣".encode()])
def test_a_pause_that_is_no_number_is_ignored(text: bytes) -> None:
    """The one before stays."""
    parser = Parser(10_000)
    parser.feed(b"retry: 7\n\n")
    assert parser.feed(b"retry: " + text + b"\ndata: a\n\n") == [message("a")]
    assert parser.retry == 7
    assert parser.feed(b"retry: 8\ndata: b\n\n") == [message("b", retry=8)]


def test_bad_utf_8_and_a_byte_order_mark_are_no_end() -> None:
    """The mark is dropped, once; what is no UTF-8 is replaced."""
    assert parse(b"\xef\xbb\xbfdata: a\n\n") == [message("a")]
    assert parse(b"data: \xff\n\n") == [message("\ufffd")]


@pytest.mark.parametrize("text", [b"data: " + b"x" * 95, b"data: " + b"x" * 40 + b"\n: comment" * 9])
def test_an_event_beyond_the_bound_is_an_error(text: bytes) -> None:
    """In one line without an end, or in many."""
    with pytest.raises(TooLongError):
        parse(*(text[index : index + 7] for index in range(0, len(text), 7)), longest=100)


def test_the_bound_is_that_of_one_event() -> None:
    """Not of the stream, nor of a chunk."""
    assert len(parse((b"data: " + b"x" * 90 + b"\n\n") * 50, longest=100)) == 50


LINE = st.sampled_from(
    [
        b"",
        b"data: a",
        b"data:\xc3\xa4",
        b"event: e",
        b"id: 1",
        b"id: 2",
        b"retry: 5",
        b": c",
        b"data",
        b"x: y",
    ]
)
END = st.sampled_from([b"\n", b"\r", b"\r\n"])


@given(st.lists(st.tuples(LINE, END)), st.lists(st.integers(0, 200)))
def test_chunks_make_no_difference(lines: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    """A character, a line's end or an event may be cut anywhere."""
    text = b"".join(line + end for line, end in lines)
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    chunks = [text[start:end] for start, end in itertools.pairwise(places)]
    assert b"".join(chunks) == text
    assert parse(*chunks) == parse(text)


def test_an_event_shows_no_data() -> None:
    """It holds what users are called and where they live."""
    assert "jane" not in repr(message("jane@example.com"))

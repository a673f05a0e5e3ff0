"""What is promised when processes fork, event loops change and programs end: promises 17 and 19."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

import pytest

from life_programs import LifeProgram
from scripted_server import ScriptedServer, hang, token_reply

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Generator

PROMPTLY: Final = 12.0
"""Seconds, on a very busy machine too; a third of one on a quiet one. A renewal has 15, a call 30."""

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="fork and signals of POSIX")


@pytest.fixture
def server() -> Generator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def start(server: ScriptedServer, tmp_path: pathlib.Path) -> Callable[..., LifeProgram]:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(server.ca_pem)

    def start(name: str, *forms: str) -> LifeProgram:
        return LifeProgram(name, *forms, credentials={**server.credentials()}, ca_file=str(ca_file))

    return start


def asked(count: int) -> Callable[[ScriptedServer], bool]:
    return lambda server: len(server.token_requests) == count


# 17. fork after warm-up, fork during a renewal, one async client over two `asyncio.run()`, two loops in two
# threads: all work.


@posix_only
def test_promise_17_children_forked_after_warm_up_use_the_parents_token(
    server: ScriptedServer, start: Callable[..., LifeProgram]
) -> None:
    """Children and grandchildren of both colours, beside the parent, each on connections of its own."""
    with start("fork_after_warm_up") as program:
        lines = [program.read() for _ in range(8)]
        end = program.end()
    assert (lines, end.status, end.errors) == (["child 0"] * 8, 0, "")
    assert len(server.token_requests) == 1
    assert len(server.api_requests) == 14


@posix_only
@pytest.mark.parametrize("name", ["fork_during_renewal", "fork_in_event_loop"])
def test_promise_17_a_child_forked_during_a_renewal_renews_on_its_own(
    server: ScriptedServer, start: Callable[..., LifeProgram], name: str
) -> None:
    """While the parent's is still under way; that one ends well, too."""
    server.token_script = [hang(then=token_reply())]
    with start(name) as program:
        assert program.read() == "asking"
        server.wait_until(asked(1))
        program.go()
        assert (program.read(), program.read()) == ("child 0", "forked")
        assert len(server.token_requests) == 2
        server.release()
        program.go()
        end = program.end()
    assert (end.status, end.errors) == (0, "")
    assert len(server.token_requests) == 2


@posix_only
def test_promise_17_a_child_forked_beside_an_early_renewal_goes_on_with_the_old_token(
    server: ScriptedServer, start: Callable[..., LifeProgram]
) -> None:
    """What renews in the parent does not exist in the child; neither waits."""
    server.token_script = [token_reply()]
    server.token_default = hang(then=token_reply())
    with start("fork_beside_early_renewal") as program:
        assert program.read() == "asking"
        server.wait_until(asked(2))
        program.go()
        assert (program.read(), program.read()) == ("child 0", "forked")
        program.go()
        end = program.end()
    assert (end.status, end.errors) == (0, "")
    assert {request.bearer for request in server.api_requests} == {server.issued[0]}


@posix_only
def test_promise_17_a_child_forked_while_a_store_is_written_can_use_it(
    server: ScriptedServer, start: Callable[..., LifeProgram]
) -> None:
    """The store in memory: the thread that was writing does not exist in the child."""
    with start("fork_beside_store") as program:
        assert program.read() == "child 0"
        end = program.end()
    assert (end.status, end.errors) == (0, "")
    assert len(server.token_requests) == 2


def test_promise_17_one_async_client_serves_one_event_loop_after_the_other(
    server: ScriptedServer, start: Callable[..., LifeProgram]
) -> None:
    """`asyncio.run` twice, and more with trio in between, without closing the client: one token."""
    with start("runs", "asyncio", "asyncio", "trio", "asyncio", "trio", "trio") as program:
        assert program.read() == "last"
        end = program.end()
    assert (end.status, end.errors) == (0, "")
    assert len(server.token_requests) == 1
    assert len(server.api_requests) == 6


def test_promise_17_one_async_client_serves_event_loops_in_several_threads(
    server: ScriptedServer, start: Callable[..., LifeProgram]
) -> None:
    """Two of asyncio and two of trio at once, five tasks each, starting cold: one token request."""
    server.token_default = hang(then=token_reply())
    with start("loops", "asyncio", "asyncio", "trio", "trio") as program:
        server.wait_until(asked(1))
        time.sleep(0.2)
        server.release()
        assert [program.read() for _ in range(4)] == ["done"] * 4
        end = program.end()
    assert (end.status, end.errors) == (0, "")
    assert len(server.token_requests) == 1
    assert len(server.api_requests) == 20


# 19. The program ends promptly though a background renewal hangs.


def check_prompt_end(server: ScriptedServer, program: LifeProgram, what: str = "endpoint") -> None:
    if what != "endpoint":
        assert {program.read(), program.read()} == {"asking", "hanging"}
    else:
        assert program.read() == "asking"
        server.wait_until(asked(2))
    began = time.monotonic()
    program.go()
    assert program.read() == "last"
    assert time.monotonic() - began < PROMPTLY
    end = program.end()
    assert (end.status, end.errors) == (0, "")
    assert end.seconds < PROMPTLY


@pytest.mark.parametrize(
    ("what", "closing"),
    [("endpoint", "closed"), ("endpoint", "left open"), ("secret", "left open"), ("store", "closed")],
)
@pytest.mark.parametrize(
    "forms", [["ends_sync"], ["ends_async", "asyncio"], ["ends_async", "trio"]], ids="-".join
)
def test_promise_19_a_program_ends_promptly_though_a_renewal_hangs(
    server: ScriptedServer, start: Callable[..., LifeProgram], forms: list[str], what: str, closing: str
) -> None:
    """Whatever it is that hangs, and whether the client was closed or not; not a word is said about it."""
    server.token_script = [token_reply()]
    server.token_default = hang()
    name, *backend = forms
    with start(name, what, closing, *backend) as program:
        check_prompt_end(server, program, what)


@pytest.mark.parametrize(
    "forms",
    [["ends_httpx"], ["ends_httpx_async", "asyncio"], ["ends_httpx_async", "trio"]],
    ids="-".join,
)
def test_promise_19_a_program_with_a_plain_httpx_client_ends_promptly(
    server: ScriptedServer, start: Callable[..., LifeProgram], forms: list[str]
) -> None:
    """The renewal hangs in a thread or task of the program's own."""
    server.token_script = [token_reply()]
    server.token_default = hang()
    with start(*forms) as program:
        check_prompt_end(server, program)


def test_promise_19_an_event_loop_that_is_closed_without_cancelling_its_tasks_says_nothing(
    server: ScriptedServer, start: Callable[..., LifeProgram]
) -> None:
    """`run_until_complete` and `close`: the renewal is not the program's own task, so it need not know."""
    server.token_script = [token_reply()]
    server.token_default = hang()
    with start("ends_async", "endpoint", "old style", "asyncio") as program:
        check_prompt_end(server, program)


def test_promise_19_a_call_of_an_atexit_function_is_carried_out(
    server: ScriptedServer, start: Callable[..., LifeProgram]
) -> None:
    """With the old token, although no thread can be had for the renewal any more on some Pythons."""
    server.token_script = [token_reply()]
    server.token_default = hang()
    with start("ends_in_atexit") as program:
        check_prompt_end(server, program)


@posix_only
@pytest.mark.parametrize(
    "name", ["is_interrupted", "is_interrupted_while_it_asks", "is_interrupted_in_event_loop"]
)
def test_promise_19_an_interrupt_ends_a_wait_at_once(
    server: ScriptedServer, start: Callable[..., LifeProgram], name: str
) -> None:
    """Ctrl-C, whether the caller renews or waits; the program can go on, since no lock is left behind."""
    server.token_script = [hang(then=token_reply())]
    with start(name) as program:
        assert program.read() == "asking"
        server.wait_until(asked(1))
        if name == "is_interrupted":
            program.go()
            assert program.read() == "waiting"
            time.sleep(0.2)
        os.kill(program.pid, signal.SIGINT)
        began = time.monotonic()
        assert program.read() == "interrupted"
        assert time.monotonic() - began < PROMPTLY
        server.release()
        assert program.read() == "last"
        end = program.end()
    assert (end.status, end.errors) == (0, "")
    assert len(server.token_requests) <= 2

"""The writer with nothing in its way but itself, others like it, and the order of things."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tornado.ioloop import IOLoop

from storage.errors import SessionGone, Unavailable
from storage.records import Message
from storage.store import Store
from storage.writer import Commit
from tests.storage.conftest import OpenStore, listen, new_message, whole_history, write


@pytest.fixture
def commits(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the commits that the store's writer asks the database for, as they happen."""
    sizes: list[int] = []
    insert = store.writer._insert

    async def counted(documents: Sequence[dict[str, object]]) -> int:
        sizes.append(len(documents))
        return await insert(documents)

    monkeypatch.setattr(store.writer, "_insert", counted)
    return sizes


async def test_a_lone_message_is_committed_at_once(store: Store, commits: list[int]) -> None:
    """One message makes one commit, the first of its room, told of before it is acknowledged."""
    await store.sessions.open_land("land", 1)
    told = listen(store)
    new = new_message(content="hello", client_id="c", created_at=9)
    commit = await store.writer.submit(new)
    assert commit == Commit(Message(new.id, "land", 1, "ann", "hello", 9, "c"), repeated=False)
    assert told == [commit.message]
    assert commits == [1]


async def test_what_arrives_together_is_committed_together(store: Store, commits: list[int]) -> None:
    """What is submitted during a commit makes up the next one, in the order of submission."""
    await store.sessions.open_land("land", 1)
    told = listen(store)
    first = store.writer.submit(new_message(content="0"))
    while not commits:
        await asyncio.sleep(0)
    rest = [store.writer.submit(new_message(content=str(number))) for number in range(1, 40)]
    assert store.writer.pending == 39
    results = [(await future).message for future in [first, *rest]]
    assert commits == [1, 39]
    assert [(message.seq, message.content) for message in results] == [(n + 1, str(n)) for n in range(40)]
    assert told == results
    assert await whole_history(store) == results
    assert store.writer.pending == 0


async def test_those_who_answer_what_they_heard_share_a_commit_with_those_who_spoke_meanwhile(
    store: Store, commits: list[int]
) -> None:
    """Where messages came during a commit, the next one waits a moment for more; a lone message never does."""
    await store.sessions.open_land("land", 1)
    answers: list[asyncio.Future[Commit]] = []

    def answer(message: Message) -> None:
        if message.content == "question":
            answers.append(store.writer.submit(new_message(content="answer")))

    async def answer_soon(message: Message) -> None:
        await asyncio.sleep(0)  # it has to be delivered first
        answer(message)

    tasks: list[asyncio.Task[None]] = []
    store.writer.on_committed = lambda message: tasks.append(asyncio.ensure_future(answer_soon(message)))
    question = store.writer.submit(new_message(content="question"))
    while not commits:
        await asyncio.sleep(0)
    meanwhile = store.writer.submit(new_message(content="meanwhile"))
    await question
    await meanwhile
    assert (await answers[0]).message.seq == 3
    assert commits == [1, 2]
    await asyncio.gather(*tasks)


async def test_a_commit_has_a_limit(open_store: OpenStore) -> None:
    """More than a commit may hold goes into the next ones, still in order."""
    store = await open_store(commit_limit=7)
    await store.sessions.open_land("land", 1)
    told = listen(store)
    written = await write(store, *(str(number) for number in range(40)))
    assert [message.content for message in told] == [str(number) for number in range(40)]
    assert written == told == await whole_history(store)


async def test_rooms_are_numbered_apart(store: Store, commits: list[int]) -> None:
    """One commit serves many rooms, each with its own numbers."""
    for land_id in "abc":
        await store.sessions.open_land(land_id, 1)
    futures = [store.writer.submit(new_message(land_id)) for land_id in "abacabb"]
    assert [(await future).message.seq for future in futures] == [1, 1, 2, 1, 3, 2, 3]
    assert commits == [7]


async def test_the_order_is_told_before_the_acknowledgement(store: Store) -> None:
    """When a message is acknowledged, it and everything before it in its room has been told of."""
    await store.sessions.open_land("land", 1)
    told = listen(store)

    async def send() -> None:
        message = (await store.writer.submit(new_message())).message
        assert told[message.seq - 1] == message

    await asyncio.gather(*(send() for _ in range(50)))
    assert [message.seq for message in told] == list(range(1, 51))


async def test_the_same_client_id_is_written_once(store: Store) -> None:
    """A message sent again gets the first one's acknowledgement, and nobody is told again."""
    await store.sessions.open_land("land", 1)
    told = listen(store)
    first = await store.writer.submit(new_message(content="first", client_id="c"))
    again = await store.writer.submit(new_message(content="second", client_id="c"))
    assert again == Commit(first.message, repeated=True)
    assert told == [first.message]
    assert await whole_history(store) == [first.message]


async def test_a_client_id_is_one_senders_in_one_room(store: Store) -> None:
    """Others, and the same person elsewhere, may use the same client id."""
    await store.sessions.open_land("land", 1)
    await store.sessions.open_land("other", 1)
    for fields in [("land", "ann"), ("land", "bob"), ("other", "ann")]:
        assert not (await store.writer.submit(new_message(*fields, client_id="c"))).repeated
    assert [message.seq for message in await whole_history(store)] == [1, 2]


async def test_the_same_client_id_within_one_commit(store: Store, commits: list[int]) -> None:
    """Sent several times at one moment, the first is written and all of them hear of it."""
    await store.sessions.open_land("land", 1)
    futures = [store.writer.submit(new_message(content=content, client_id="c")) for content in "xyz"]
    last = store.writer.submit(new_message(content="last"))
    results = [await future for future in futures]
    assert [result.repeated for result in results] == [False, True, True]
    assert {result.message.content for result in results} == {"x"}
    assert (await last).message.seq == 2
    assert commits == [2]


async def test_a_deleted_message_is_not_sent_again(store: Store) -> None:
    """The record of a deleted message still answers for its client id, without its content."""
    await store.sessions.open_land("land", 1)
    first = await store.writer.submit(new_message(client_id="c"))
    assert await store.messages.delete("land", first.message.id, 1)
    tombstone = await store.messages.get("land", first.message.id)
    again = await store.writer.submit(new_message(client_id="c"))
    assert again.repeated and again.message == tombstone


async def test_repeats_leave_no_holes(store: Store) -> None:
    """Repeated messages among new ones take no number; the new ones keep their order."""
    await store.sessions.open_land("land", 1)
    for client_id in "bdf":
        await store.writer.submit(new_message(client_id=client_id))
    told = listen(store)
    futures = [store.writer.submit(new_message(content=each, client_id=each)) for each in "abcdefg"]
    results = [await future for future in futures]
    assert [result.repeated for result in results] == [False, True] * 3 + [False]
    assert [message.content for message in told] == ["a", "c", "e", "g"]
    assert [message.seq for message in told] == [4, 5, 6, 7]
    assert [result.message.seq for result in results] == [4, 1, 5, 2, 6, 3, 7]


async def test_many_repeats_cost_two_commits_not_one_each(store: Store, commits: list[int]) -> None:
    """A client that sends everything again after an outage does not make the database refuse one by one."""
    await store.sessions.open_land("land", 1)
    futures = [store.writer.submit(new_message(client_id=str(number))) for number in range(100)]
    await asyncio.gather(*futures)
    commits.clear()
    again = [store.writer.submit(new_message(client_id=str(number))) for number in range(105)]
    results = await asyncio.gather(*again)
    assert [result.repeated for result in results] == [True] * 100 + [False] * 5
    assert commits == [105, 5]


async def test_a_later_process_goes_on(store: Store, open_store: OpenStore) -> None:
    """After a restart numbers go on, and what was acknowledged before is known by its client id."""
    await store.sessions.open_land("land", 1)
    first = await store.writer.submit(new_message(client_id="c"))
    await store.close()
    later = await open_store()
    assert later.writer.published("land") is None
    assert await later.writer.head("land") == 1
    assert later.writer.published("land") == 1
    assert await later.writer.submit(new_message(client_id="c")) == Commit(first.message, repeated=True)
    assert (await later.writer.submit(new_message(client_id="d"))).message.seq == 2


async def test_the_messages_outrank_a_session_left_behind(store: Store, open_store: OpenStore) -> None:
    """A crash may leave a session's own head behind its messages: they are what counts."""
    await store.sessions.open_land("land", 1)
    await write(store, *"abc")
    await store.writer.settle()
    await store.database["sessions"].update_one({"_id": "land"}, {"$set": {"last_seq": 1}})
    later = await open_store()
    assert await later.writer.head("land") == 3
    assert (await write(later, "d"))[0].seq == 4


async def test_head_is_what_was_told_of(store: Store) -> None:
    """While a message is on its way, the head is still the one before it; when told of, it is the head."""
    await store.sessions.open_land("land", 1)
    assert await store.writer.head("land") == 0
    heads = []
    store.writer.on_committed = lambda message: heads.append(store.writer.published("land"))
    future = store.writer.submit(new_message())
    while not future.done():
        assert await store.writer.head("land") == len(heads)
        await asyncio.sleep(0)
    assert heads == [1]


async def test_two_writers_share_a_room(store: Store, open_store: OpenStore) -> None:
    """Two processes writing to one room leave no hole and no double, and each tells of all in order."""
    await store.sessions.open_land("land", 1)
    other = await open_store()
    told = [listen(store), listen(other)]

    async def send(writer: Store, client_id: str) -> Commit:
        return await writer.writer.submit(new_message(client_id=client_id))

    # Half of the client ids go to both.
    sends = [send(store, str(number)) for number in range(0, 120)]
    sends += [send(other, str(number)) for number in range(60, 180)]
    results = await asyncio.gather(*sends)
    history = await whole_history(store)
    assert [message.seq for message in history] == list(range(1, 181))
    assert {message.client_id for message in history} == {str(number) for number in range(180)}
    assert [result.repeated for result in results].count(True) == 60
    # The last commit of the one is news to the other at its next.
    await write(store, "end")
    await write(other, "end")
    await write(store, "end")
    history = await whole_history(store)
    assert told[0] == history
    assert told[1] == history[:-1]


async def test_what_is_written_while_catching_up_is_told_too(
    store: Store, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rival that writes before and after each step of catching up takes nothing from what is told."""
    await store.sessions.open_land("land", 1)
    other = await open_store()
    assert await other.writer.head("land") == 0
    told = listen(other)
    left = 12

    def disturbed(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def run(*args: Any, **options: Any) -> Any:
            nonlocal left
            for moment in ("before", "after"):
                if moment == "after":
                    result = await step(*args, **options)
                if left:
                    left -= 1
                    await write(store, f"rival {moment} {step.__name__}")
                    await store.writer.settle()
            return result

        return run

    await write(store, "first")
    heads = other.writer._heads
    monkeypatch.setattr(heads, "_read", disturbed(heads._read))
    monkeypatch.setattr(other.messages, "page", disturbed(other.messages.page))
    await write(other, "last")
    assert left == 0
    assert [message.seq for message in told] == list(range(1, 15))
    assert told == await whole_history(store)


async def test_what_another_process_wrote_is_told_before_its_repeat_is_answered(
    store: Store, open_store: OpenStore
) -> None:
    """A client that sends again on another node is answered after the message is told of there."""
    await store.sessions.open_land("land", 1)
    other = await open_store()
    assert await other.writer.head("land") == 0
    first = await store.writer.submit(new_message(client_id="c"))
    told = listen(other)
    again = await other.writer.submit(new_message(client_id="c"))
    assert again == Commit(first.message, repeated=True)
    assert told == [first.message]
    assert other.writer.published("land") == 1


async def test_a_room_that_is_gone_fails_alone(store: Store) -> None:
    """A message to no session fails by itself; those committed with it are written, without a hole."""
    await store.sessions.open_land("land", 1)
    futures = [store.writer.submit(new_message(room)) for room in ("land", "absent", "land")]
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert isinstance(results[1], SessionGone)
    assert [result.message.seq for result in (results[0], results[2])] == [1, 2]  # type: ignore[union-attr]
    with pytest.raises(SessionGone):
        await store.writer.head("absent")


@pytest.mark.parametrize("fields", [{"content": "\ud800"}, {"client_id": "\ud800"}, {"sender_id": "\ud800"}])
async def test_text_that_is_no_text_fails_alone(store: Store, fields: dict[str, str]) -> None:
    """A lone surrogate that slipped through costs its own message, not the commit that it came into."""
    await store.sessions.open_land("land", 1)
    futures = [store.writer.submit(new_message(**each)) for each in ({}, fields, {})]  # type: ignore[arg-type]
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert isinstance(results[1], UnicodeEncodeError)
    assert [message.seq for message in await whole_history(store)] == [1, 2]


@pytest.mark.logs("writer ERROR on_committed failed for message")
async def test_a_listener_that_fails_stops_nothing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """An error in who is told is logged, and the message is written and acknowledged all the same."""
    await store.sessions.open_land("land", 1)

    def fail(message: Message) -> None:
        raise RuntimeError("no ears")

    store.writer.on_committed = fail
    assert [message.seq for message in await write(store, "secret", "b")] == [1, 2]
    assert "no ears" in caplog.text
    assert "secret" not in caplog.text


async def test_a_caller_who_gives_up_is_heard_all_the_same(store: Store, commits: list[int]) -> None:
    """A message whose sender no longer waits is written and told of like any other."""
    await store.sessions.open_land("land", 1)
    told = listen(store)
    given_up = [store.writer.submit(new_message()), store.writer.submit(new_message())]
    given_up[0].cancel()
    while not commits:
        await asyncio.sleep(0)
    given_up[1].cancel()
    (last,) = await write(store, "last")
    assert [message.seq for message in told] == [1, 2, 3]
    assert told[-1] == last


async def test_drain_waits_for_everything(store: Store) -> None:
    """After a drain all that was submitted has its outcome, and the room's document tells of it."""
    await store.sessions.open_land("land", 1)
    await store.sessions.enter("land", "ann", 0)
    futures = [store.writer.submit(new_message(created_at=7)) for _ in range(20)]
    await store.writer.drain()
    assert all(future.done() for future in futures)
    document = await store.database["sessions"].find_one({"_id": "land"})
    assert (document["last_seq"], document["active_at"]) == (20, 7)
    mark = await store.database["marks"].find_one({"user": "ann"})
    assert mark["read_seq"] == 20


async def test_a_closed_writer_takes_nothing(open_store: OpenStore) -> None:
    """Closing finishes what was submitted; what comes after is refused, and no task is left behind."""
    store = await open_store()
    await store.sessions.open_land("land", 1)
    before = store.writer.submit(new_message())
    await store.close()
    assert (await before).message.seq == 1
    with pytest.raises(Unavailable):
        await store.writer.submit(new_message())
    names = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
    assert not [name for name in names if name.startswith("MessageWriter")]


@pytest.fixture
def two_stores(io_loop: IOLoop, open_store: OpenStore) -> tuple[Store, Store]:
    return io_loop.run_sync(open_store), io_loop.run_sync(open_store)


class Send(NamedTuple):
    by: int  # which of two processes
    room: str
    sender: str
    client_id: str | None


SENDS = st.lists(
    st.builds(
        Send,
        st.integers(0, 1),
        st.sampled_from("ab"),
        st.sampled_from(["ann", "bob"]),
        st.one_of(st.none(), st.sampled_from("123")),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rounds=st.lists(SENDS, min_size=1, max_size=4))
def test_whatever_is_sent_by_whomever(
    io_loop: IOLoop, two_stores: tuple[Store, Store], rounds: list[list[Send]]
) -> None:
    """For any mix of rooms, senders, repeats and two processes: numbers rise from 1 by one, every client id
    is there once, everyone who sent it hears of that one, and each process tells of a room in order."""

    async def scenario() -> None:
        prefix = new_message().id  # rooms of this example alone
        rooms = {room: f"{prefix}-{room}" for room in "ab"}
        one, two = two_stores
        told = [listen(one), listen(two)]
        for room in rooms.values():
            await one.sessions.open_land(room, 1)
            # From here on each tells of everything in the room.
            await asyncio.gather(one.writer.head(room), two.writer.head(room))
        heard: dict[tuple[str, str, str | None], set[int]] = {}
        unnamed = 0
        for sends in rounds:
            futures = [
                (one, two)[send.by].writer.submit(
                    new_message(rooms[send.room], send.sender, client_id=send.client_id)
                )
                for send in sends
            ]
            for send, commit in zip(sends, await asyncio.gather(*futures), strict=True):
                if send.client_id is None:
                    unnamed += 1
                    assert not commit.repeated
                else:
                    heard.setdefault(send[1:], set()).add(commit.message.seq)
        assert all(len(seqs) == 1 for seqs in heard.values())
        total = 0
        for room in rooms.values():
            history = await whole_history(one, room)
            total += len(history)
            assert [message.seq for message in history] == list(range(1, len(history) + 1))
            for tells in told:
                mine = [message for message in tells if message.session_id == room]
                assert mine == history[: len(mine)]
        assert total == unnamed + len(heard)

    io_loop.run_sync(scenario)

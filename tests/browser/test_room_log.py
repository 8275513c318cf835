"""The client library's order of messages, by values: what is live, what is replayed and what history has, in any order."""

from __future__ import annotations

from typing import Any

import pytest

# A log of room `r`, followed from 5 on; history is an array, and is read when the steps say so.
RUN = """async ({ steps, history }) => {
  const { RoomLog } = await import('/static/js/client/room-log.js');
  const { HereaboutsError } = await import('/static/js/client/errors.js');
  const told = [], asked = [], lost = [];
  let answer = null;
  const fetchAfter = (roomId, { after }) => new Promise((resolve, reject) => {
    asked.push(after);
    answer = (most, code) => {
      if (code) return reject(new HereaboutsError(code, code));
      const page = history.filter(({ seq }) => seq > after).slice(0, most);
      const last = page.at(-1)?.seq;
      resolve({ messages: page, ...(last < history.at(-1).seq && { next_after: last }) });
    };
  });
  const tell = (message) => told.push(message.deleted ? -message.seq : message.seq);
  const log = new RoomLog(fetchAfter, tell, (roomId, { code }) => { lost.push(code); log.forget(roomId); });
  log.follow('r', 5, true);
  const message = (seq) => ({ id: `m${seq}`, room_id: 'r', seq, content: '' });
  const step = {
    disconnected: () => log.disconnected(),
    live: (...seqs) => { for (const seq of seqs) log.receive(message(seq)); },
    resumed: (lastSeq, { complete = true, deleted = [] } = {}) =>
      log.resumed({ room_id: 'r', last_seq: lastSeq, complete, deleted: deleted.map((seq) => `m${seq}`) }),
    deleted: (seq) => log.delete('r', `m${seq}`),
    page: async (most = 200, code = null) => { answer(most, code); await new Promise((later) => setTimeout(later)); },
    forget: () => log.forget('r'),
    follow: (seq) => log.follow('r', seq, true),
  };
  for (const [name, ...given] of steps) await step[name](...given);
  return { told, asked, lost, resuming: log.resuming.map(({ after_seq: after }) => after) };
}"""

Steps = list[list[Any]]


def written(*seqs: int) -> list[dict[str, Any]]:
    return [{"id": f"m{seq}", "room_id": "r", "seq": seq, "content": ""} for seq in seqs]


CASES: dict[str, tuple[Steps, list[int], list[int]]] = {
    # steps, what is told (negative: as deleted), after which seq history is asked
    "in order": ([["live", 6, 7, 8]], [6, 7, 8], []),
    "twice": ([["live", 6, 6, 5, 7, 6]], [6, 7], []),
    "a gap is filled before what follows it": ([["live", 6, 9], ["page"]], [6, 7, 8, 9, 10], [6]),
    "a gap is filled page by page": ([["live", 9], ["page", 2], ["page", 2], ["page"]], [6, 7, 8, 9, 10], [5, 7, 9]),
    "what comes while a gap is filled": ([["live", 8], ["live", 9, 11], ["page"], ["live", 12]], [6, 7, 8, 9, 10, 11, 12], [5]),
    "another gap while one is filled": ([["live", 8], ["live", 12], ["page"], ["page"]], [6, 7, 8, 9, 10, 12], [5, 10]),
    "a gap that history has not": ([["live", 13], ["page"], ["live", 14]], [6, 7, 8, 9, 10, 13, 14], [5]),
    "history that is away for the moment keeps its place": ([["live", 8], ["page", 0, "unavailable"], ["live", 9]], [], [5]),
    "a replay": ([["disconnected"], ["live", 6, 7], ["resumed", 7], ["live", 8]], [6, 7, 8], []),
    "nothing was missed": ([["disconnected"], ["resumed", 5], ["live", 6]], [6], []),
    "live before the replay": ([["disconnected"], ["live", 8, 6, 9, 7], ["resumed", 7]], [6, 7, 8, 9], []),
    "live after the replay, before its end": ([["disconnected"], ["live", 6, 7], ["resumed", 6]], [6, 7], []),
    "a replay with a gap, of what was purged": ([["disconnected"], ["live", 8, 9], ["resumed", 9], ["live", 10]], [8, 9, 10], []),
    "a replay whose end was purged": ([["disconnected"], ["live", 6], ["resumed", 9], ["live", 10]], [6, 10], []),
    "live behind an end that was purged": ([["disconnected"], ["live", 6, 10], ["resumed", 9]], [6, 10], []),
    "a gap after the replay": ([["disconnected"], ["live", 6, 9], ["resumed", 6], ["page"]], [6, 7, 8, 9, 10], [6]),
    "interrupted, and resumed from what was told": (
        [["disconnected"], ["live", 6, 9], ["disconnected"], ["live", 7, 8, 9], ["resumed", 9]],
        [6, 7, 8, 9],
        [],
    ),
    "refused in the middle, and resumed on the same connection": (
        [["disconnected"], ["live", 6, 9], ["live", 7, 8], ["resumed", 9]],
        [6, 7, 8, 9],
        [],
    ),
    "too much was missed": (
        [["disconnected"], ["live", 11], ["resumed", 10, {"complete": False}], ["live", 12], ["page"]],
        [6, 7, 8, 9, 10, 11, 12],
        [5],
    ),
    "the room is behind what was told": (
        [["disconnected"], ["resumed", 3, {"complete": False}], ["live", 11], ["page"]],
        [6, 7, 8, 9, 10, 11],
        [3],
    ),
    "a page that was on its way when the connection went": (
        [["live", 8], ["disconnected"], ["page"], ["live", 6, 7, 8], ["resumed", 8]],
        [6, 7, 8],
        [5],
    ),
    "deleted while it was held back": (
        [["disconnected"], ["live", 8], ["deleted", 8], ["live", 6, 7], ["resumed", 8]],
        [6, 7, -8],
        [],
    ),
    "named as deleted by the resume": ([["disconnected"], ["live", 7], ["resumed", 7, {"deleted": [6, 7]}]], [-7], []),
    "deleted while its page was on its way": ([["live", 8], ["deleted", 7], ["page"]], [6, -7, 8, 9, 10], [5]),
    "left while it was held back": ([["disconnected"], ["live", 8], ["forget"], ["resumed", 8]], [], []),
    "heard before it is followed": ([["forget"], ["live", 6, 7], ["follow", 5], ["live", 8]], [6, 7, 8], []),
}  # fmt: skip


@pytest.mark.gen_test(timeout=180)
async def test_messages_are_told_once_and_in_order(server, browse) -> None:
    """Whatever comes in which way: each message once, in the order of `seq`, and history is read where it has to be."""
    async with browse(server) as browser:
        visitor = await browser.visit("ann")
        for name, (steps, told, asked) in CASES.items():
            outcome = await visitor.page.evaluate(RUN, {"steps": steps, "history": written(6, 7, 8, 9, 10)})
            assert (outcome["told"], outcome["asked"]) == (told, asked), name
            assert outcome["lost"] == [], name


@pytest.mark.gen_test(timeout=180)
async def test_a_room_that_is_not_ours_any_more_is_lost(server, browse) -> None:
    """History that is refused for good ends the following of a room, and says so."""
    async with browse(server) as browser:
        visitor = await browser.visit("ann")
        steps: Steps = [["live", 8], ["page", 0, "not_found"], ["disconnected"]]
        outcome = await visitor.page.evaluate(RUN, {"steps": steps, "history": written(6)})
        assert (outcome["told"], outcome["lost"], outcome["resuming"]) == ([], ["not_found"], [])


@pytest.mark.gen_test(timeout=180)
async def test_a_resume_asks_from_where_all_was_known(server, browse) -> None:
    """What is held back does not count as seen; nor does a replay that was cut short, whose end names the deletions."""
    async with browse(server) as browser:
        visitor = await browser.visit("ann")
        steps: Steps = [["live", 6, 9], ["disconnected"], ["live", 7, 10], ["disconnected"]]
        outcome = await visitor.page.evaluate(RUN, {"steps": steps, "history": written(6)})
        assert outcome["resuming"] == [6]

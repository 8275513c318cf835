"""How bots walk and talk, as plain values: time is counted and chance is seeded."""

from __future__ import annotations

import math
import random
import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.bots import lines, walking
from client.bots.accounts import NAMES
from client.bots.crowd import arrives_after
from client.bots.talking import KNOWN_SECONDS, Say, Scene, Talker, Type
from client.bots.village import (
    EAST,
    ELBOW_ROOM,
    NORTH,
    PLAN,
    SOUTH,
    WEST,
    Land,
    Point,
    Village,
    inside,
    place_beside,
    way,
)
from client.bots.walking import ARRIVED, FASTEST, LONGEST_STEP, SLOWEST, TURN, Gait, Walker, step
from server.settings import Settings

places = st.tuples(st.floats(WEST, EAST), st.floats(NORTH, SOUTH))
paces = st.floats(SLOWEST, FASTEST)
durations = st.floats(0.01, LONGEST_STEP)
seeds = st.integers(0, 2**32)
minutes = settings(max_examples=20, deadline=None)  # of what goes on for minutes


@st.composite
def gaits(draw: st.DrawFn) -> Gait:
    x, y = draw(places)
    return Gait(x, y, draw(st.floats(-math.pi, math.pi)), draw(st.floats(0, FASTEST)))


# Walking


@given(gaits(), places, st.lists(places, max_size=8), paces, durations)
def test_a_step_is_a_step(gait: Gait, goal: Point, others: list[Point], pace: float, seconds: float) -> None:
    """No faster than the pace, turned no further than a body turns, and never out of the village."""
    after = step(gait, goal, others, pace, seconds)
    assert math.dist(gait.place, after.place) <= pace * seconds + 1e-9
    assert 0 <= after.speed <= pace
    assert abs(math.remainder(after.heading - gait.heading, 2 * math.pi)) <= TURN * seconds + 1e-9
    assert inside(*after.place) == after.place


@given(gaits(), places, paces, st.floats(0.05, 0.3))
def test_a_walker_arrives(gait: Gait, goal: Point, pace: float, seconds: float) -> None:
    """With nobody in the way, in the time that the way takes and a little for turning and braking."""
    left = math.dist(gait.place, goal) / pace + 6.0
    while math.dist(gait.place, goal) > ARRIVED:
        gait = step(gait, goal, [], pace, seconds)
        left -= seconds
        assert left > 0


def village() -> Village:
    found = Village()
    lands = [
        {"id": name, "name": name, "x": x, "y": y, "width": width, "height": height}
        for name, x, y, width, height in (
            (land.name, land.x, land.y, land.width, land.height) for land in PLAN
        )
    ]
    found.take(lands, 0.0)
    return found


@minutes
@given(seeds)
def test_walkers_live_in_the_village(seed: int) -> None:
    """For five minutes: none jumps or leaves, all get about, and they stand as well as walk."""
    rng, lands = random.Random(seed), village()
    walkers = [Walker(rng, 0.0) for _ in range(6)]
    walked = [0.0] * 6
    stood = [0] * 6
    for tick in range(1, 1501):
        for number, walker in enumerate(walkers):
            before = walker.gait.place
            others = [other.gait.place for other in walkers if other is not walker]
            walker.step(tick * 0.2, 0.2, lands, others, others)
            way = math.dist(before, walker.gait.place)
            assert way <= FASTEST * 0.2 + 1e-9
            assert inside(*walker.gait.place) == walker.gait.place
            walked[number] += way
            stood[number] += walker.standing
    assert min(walked) > 30
    assert all(100 < ticks < 1400 for ticks in stood)


def test_groups_form_and_nobody_stands_in_anybody() -> None:
    """After two minutes most have company in earshot, and hardly anybody who stands is on top of another."""
    rng, lands = random.Random(5), village()
    walkers = [Walker(rng, 0.0) for _ in range(24)]
    lonely = on_top = looks = 0
    for tick in range(1, 1801):
        for walker in walkers:
            others = [other.gait.place for other in walkers if other is not walker]
            walker.step(tick * 0.2, 0.2, lands, others, others)
        if tick < 600 or tick % 25:
            continue
        looks += 1
        standing = [walker.gait.place for walker in walkers if walker.standing]
        on_top += sum(math.dist(one, other) < walking.CROWDED / 2 for one, other in combinations(standing, 2))
        lonely += sum(sum(math.dist(one, other) < 5 for other in standing) < 2 for one in standing)
    assert on_top / looks < 0.5
    assert lonely / looks < 12


def test_who_was_held_up_does_not_jump() -> None:
    """After half a minute without a step the next one is as long as ever."""
    walker = Walker(random.Random(1), 0.0)
    walker.step(1.0, 0.2, village(), [], [])
    assert not walker.standing
    before = walker.gait.place
    walker.step(31.0, 30.0, village(), [], [])
    assert math.dist(before, walker.gait.place) <= FASTEST * LONGEST_STEP


def test_who_makes_room_stays_in_the_land() -> None:
    """Somebody stands too near to one at the edge: it ends aside, where it still hears what is said."""
    walker, lands = Walker(random.Random(1), 0.0), village()
    (edge,) = (land for land in lands.lands if land.name == "Rosemary Walk")
    walker.step(0.2, 0.2, lands, [], [])
    walker.stay(0.4, 30.0)
    walker.gait = Gait(edge.x + edge.width - 0.1, edge.y + 5)
    for tick in range(3, 33):
        walker.step(tick * 0.2, 0.2, lands, [(edge.x + edge.width - 0.5, edge.y + 5)], [])
    assert walker.standing
    assert edge.x <= walker.gait.x < edge.x + edge.width
    assert math.dist(walker.gait.place, (edge.x + edge.width - 0.5, edge.y + 5)) >= walking.CROWDED


def test_who_is_spoken_with_stays_within_reason() -> None:
    """It stops for it, and goes on after a minute however much is said."""
    walker = Walker(random.Random(1), 0.0)
    walker.step(1.0, 0.2, village(), [], [])
    walker.stay(1.2, 5.0)
    here = walker.gait.place
    for tick in range(25):
        walker.step(1.4 + tick * 0.2, 0.2, village(), [], [])
        walker.stay(1.4 + tick * 0.2, 5.0)
    assert walker.gait.place == here
    for tick in range(400):
        walker.stay(6.4 + tick * 0.2, 5.0)
        walker.step(6.4 + tick * 0.2, 0.2, village(), [], [])
        if not walker.standing:
            break
    assert not walker.standing


# The village


def test_the_plan_can_be_claimed() -> None:
    """No land overlaps another or is longer than a server allows, and one user may own all."""
    for one, other in combinations(PLAN, 2):
        apart_x = one.x + one.width <= other.x or other.x + other.width <= one.x
        apart_y = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert apart_x or apart_y, (one.name, other.name)
    assert len({land.name for land in PLAN}) == len(PLAN) <= Settings().lands_per_user
    assert max(max(land.width, land.height) for land in PLAN) <= Settings().land_side


def test_newcomers_begin_in_the_square() -> None:
    """The page puts them within eight units of the origin."""
    square = PLAN[0]
    assert square.x <= -8 and square.x + square.width > 8
    assert square.y <= -8 and square.y + square.height >= 8


@given(st.sampled_from(PLAN))
def test_spots_are_inside_their_land(land: Land) -> None:
    """With room for a circle of people around them, in each direction but the shortest."""
    assert len(land.spots()) >= 2
    for x, y in land.spots():
        assert land.x + 2 < x < land.x + land.width - 2
        assert land.y + 2 < y < land.y + land.height - 2


@given(places, st.lists(places, max_size=3), seeds)
def test_a_free_place_is_taken_where_there_is_one(middle: Point, taken: list[Point], seed: int) -> None:
    """Three others are not in the way of six places, unless the edge of the village cuts some off."""
    x, y = middle[0] * 0.9, middle[1] * 0.9
    place = place_beside((x, y), taken, random.Random(seed))
    assert all(math.dist(place, other) > ELBOW_ROOM for other in taken)


@pytest.mark.parametrize(
    ("there", "said"),
    [((5, 0), "east"), ((5, 5), "south-east"), ((0, 5), "south"), ((-5, 0), "west"), ((1, -9), "north")],
)
def test_directions_are_those_of_the_screen(there: Point, said: str) -> None:
    """y grows downwards, so that south is more of it."""
    assert way((0, 0), there) == said


def test_lands_of_others_are_walked_to_as_well() -> None:
    """Those in the village are; those that only reach into it are not."""
    found = Village()
    land = {"id": "a", "name": "Ann's", "x": 0, "y": 0, "width": 4, "height": 4}
    found.take([land, {**land, "id": "b", "x": 30, "width": 900}], 7.0)
    assert [land.name for land in found.lands] == ["Ann's"]
    assert found.land("a") is found.lands[0] and found.land("b") is None


# Talking

LATENCY = 0.05  # seconds until a room knows what somebody does
STEP = 0.1


class Room:
    """A room of talkers, each of whom is told what the others do a little later."""

    def __init__(self, seed: int, bots: int, people: tuple[str, ...] = ("Ann",)) -> None:
        rng = random.Random(seed)
        self.names = [f"{name}.bot" for name in NAMES[:bots]]
        self.people = list(people)
        self.talkers = {name: Talker(random.Random(rng.random()), name) for name in self.names}
        self.offsets = {name: rng.uniform(0, STEP) for name in self.names}  # they do not tick together
        self.now = 0.0
        self.said: list[tuple[float, str, str]] = []
        self._coming: list[tuple[float, str, str | None]] = []
        for name, talker in self.talkers.items():
            talker.enter(0.0, self.scene(name).people)

    def scene(self, name: str) -> Scene:
        people = [other for other in (*self.people, *self.names) if other != name]
        return Scene(PLAN[0], PLAN[1:], people)

    def person_says(self, content: str) -> None:
        self._happens(self.now, "Ann", content)

    def comes(self, username: str) -> None:
        self.people.append(username)
        for name, talker in self.talkers.items():
            talker.meet(self.now, username, self.scene(name))

    def run(self, seconds: float) -> list[str]:
        """What was said meanwhile."""
        before = len(self.said)
        turns = sorted(
            (tick * STEP + offset, name)
            for tick in range(round(seconds / STEP))
            for name, offset in self.offsets.items()
        )
        start = self.now
        for at, name in turns:
            self.now = start + at
            self._deliver()
            act = self.talkers[name].act(self.now, self.scene(name))
            if isinstance(act, Type):
                self._coming.append((self.now + LATENCY, name, None))
            elif isinstance(act, Say):
                self._happens(self.now, name, act.content)
        self.now = start + seconds
        self._deliver()
        return [content for _, _, content in self.said[before:]]

    def _happens(self, now: float, name: str, content: str) -> None:
        self.said.append((now, name, content))
        self._coming.append((now + LATENCY, name, content))

    def _deliver(self) -> None:
        while self._coming and self._coming[0][0] <= self.now:
            at, name, content = self._coming.pop(0)
            for other, talker in self.talkers.items():
                if other == name:
                    continue
                if content is None:
                    talker.see_typing(at, name)
                else:
                    talker.hear(at, name, content, self.scene(other))


@minutes
@given(seeds, st.integers(1, 12))
def test_a_greeting_gets_one_answer(seed: int, bots: int) -> None:
    """One bot answers, within a few seconds, whoever else heard it."""
    room = Room(seed, bots)
    room.person_says("Hello!")
    room.run(7.5)
    assert len(room.said) == 2
    assert room.said[1][2] in {
        reply.format(who="Ann", me=room.said[1][1].removesuffix(".bot"), land=PLAN[0].name)
        for about, replies in lines.REPLIES
        if "hello" in about
        for reply in replies
    }


@minutes
@given(seeds, st.integers(1, 12))
def test_who_is_not_seen_is_answered(seed: int, bots: int) -> None:
    """An invisible person writes like everybody; after the answer it is silent again."""
    room = Room(seed, bots, people=())
    room.person_says("Hello!")
    room.run(60.0)
    assert len(room.said) == 2


@minutes
@given(seeds, st.integers(2, 12))
def test_who_is_named_answers(seed: int, bots: int) -> None:
    """And nobody else does."""
    room = Room(seed, bots)
    room.person_says("bruno, how are you?")
    room.run(6.0)
    assert [name for _, name, _ in room.said] == ["Ann", "Bruno.bot"]


@minutes
@given(seeds, st.integers(1, 12))
def test_an_empty_room_is_silent(seed: int, bots: int) -> None:
    """Bots say nothing where no person hears it."""
    assert Room(seed, bots, people=()).run(300.0) == []


@minutes
@given(seeds, st.integers(2, 12))
def test_a_person_hears_a_conversation_and_no_chorus(seed: int, bots: int) -> None:
    """For ten minutes: about a line every 10 to 20 seconds, never two at once, and none that was just said."""
    room = Room(seed, bots)
    room.run(600.0)
    times = [at for at, _, _ in room.said]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 8 <= 600 / len(times) <= 27
    assert min(gaps) > 1.0
    contents = [content for _, _, content in room.said]
    for at, content in enumerate(contents):
        assert content not in contents[max(0, at - 8) : at]


@minutes
@given(seeds, st.integers(2, 12))
def test_who_comes_is_welcomed_once(seed: int, bots: int) -> None:
    """By one of them; and not again for going out and coming back."""
    room = Room(seed, bots, people=())
    room.comes("Ann")
    said = room.run(8.0)
    assert len(said) == 1 and "Ann" in said[0]
    room.people.clear()
    room.run(60.0)
    room.comes("Ann")
    assert not any(
        line in {w.format(who="Ann", land=PLAN[0].name) for w in lines.WELCOMES} for line in room.run(8.0)
    )
    room.people.clear()
    room.run(KNOWN_SECONDS)
    room.comes("Ann")
    assert len(room.run(8.0)) == 1


def test_bots_are_not_welcomed() -> None:
    """They come and go all day."""
    room = Room(3, 4)
    for talker in room.talkers.values():
        talker.meet(0.0, "Zora.bot", room.scene("Ada.bot"))
        assert not talker.busy


def test_every_line_can_be_said() -> None:
    """Each has slots that there are; and each kind has a line for who sees nothing but whom they talk to."""
    kinds = [lines.OPENERS, lines.REMARKS, lines.GUESSES, lines.WELCOMES, lines.OTHERWISE]
    kinds += [replies for _, replies in lines.REPLIES]
    for kind in kinds:
        slots = [set(re.findall(r"{(.*?)}", line)) for line in kind]
        assert set.union(*slots) <= {"me", "who", "near", "land", "other", "way"}
        assert any(needed <= {"me", "who"} for needed in slots)


@given(seeds, st.text(max_size=200))
def test_whatever_is_said_has_an_answer(seed: int, content: str) -> None:
    """In private too, and from nowhere."""
    talker = Talker(random.Random(seed), "Ada.bot")
    seconds, say = talker.answer("Ann", content, Scene(None, [], []))
    assert 0 < seconds < 6 and say.content


# Arriving


@given(st.floats(0, 600))
def test_arriving_leaves_the_sign_ins_of_an_address_to_others(seconds: float) -> None:
    """The first 200 bots take three fifths of what a server grants one address at once, beside what it adds by itself."""
    settings = Settings()
    arrived = sum(arrives_after(number) <= seconds for number in range(200))
    assert arrived <= 0.6 * settings.login_burst + settings.login_rate * seconds + 1

"""The area of interest beside a plain model that compares everybody with everybody."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from spatial.distance import distance
from spatial.interest import HYSTERESIS, Interest, slots_of, watches_of

KEYS = [f"key-{number}" for number in range(8)]
RADII = [5.0, 10.0, 10.0]
STEPS = 60


class Walks:
    """Random walks, jumps, worlds, comings and goings, watches, blocks, and people who are not shown.

    The model keeps whom everybody with a watch of a radius has in view, by names alone.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.interest = Interest()
        self.places: dict[str, tuple[int, float, float]] = {}
        self.watches: dict[int, tuple[str, float]] = {}
        self.hidden: set[str] = set()
        self.blocks: set[frozenset[str]] = set()
        self.view: set[tuple[str, str, float]] = set()
        self.seen_before: set[str] = set()  # with a place, and shown, at the last step
        self.lasting: set[int] = set()  # watches that were there at the last step
        self.left: set[str] = set()

    def act(self, name: str) -> None:
        """One thing that somebody may do between two steps; most often they walk."""
        deeds = [
            self.walk,
            self.jump,
            self.leave,
            self.watch,
            self.stop_watching,
            self.hide_or_show,
            self.block,
        ]
        (deed,) = self.random.choices(deeds, [50, 5, 3, 6, 4, 4, 3])
        deed(name)

    def jump(self, name: str) -> None:
        # On a lattice many distances are exactly a radius, or its edge.
        self.put(
            name, self.random.choice([0, 0, 0, 1]), self.random.randrange(28) / 2, self.random.randrange(3)
        )

    def walk(self, name: str) -> None:
        if name in self.places:
            world, x, y = self.places[name]
            self.put(name, world, x + self.random.choice([-0.5, 0, 0.5, 0.3]), y)
        else:
            self.jump(name)

    def put(self, name: str, world: int, x: float, y: float) -> None:
        self.places[name] = (world, x, y)
        self.interest.place(name, world, x, y)

    def leave(self, name: str) -> None:
        for watch in [watch for watch, (owner, _) in self.watches.items() if owner == name]:
            self.unwatch(watch)
        if self.places.pop(name, None):
            self.left.add(name)
        self.interest.remove(name)

    def watch(self, name: str) -> None:
        radius = self.random.choice(RADII)
        watch = self.interest.watch(name, radius)
        assert watch not in self.watches
        self.watches[watch] = (name, radius)

    def stop_watching(self, name: str) -> None:
        mine = [watch for watch, (owner, _) in self.watches.items() if owner == name]
        if mine:
            self.unwatch(self.random.choice(mine))

    def unwatch(self, watch: int) -> None:
        del self.watches[watch]
        self.interest.unwatch(watch)

    def hide_or_show(self, name: str) -> None:
        self.hidden ^= {name}

    def block(self, name: str) -> None:
        other = self.random.choice(KEYS)
        if name != other:
            self.blocks ^= {frozenset((name, other))}

    def step(self) -> None:
        self.interest.step(lambda key: key not in self.hidden, self.parted())
        lasting = {self.watches[watch] for watch in self.lasting if watch in self.watches}
        before = {
            (owner, seen, radius)
            for owner, seen, radius in self.view
            if (owner, radius) in lasting and not {owner, seen} & self.left
        }
        shown = {key for key in self.places if key not in self.hidden}
        appeared = shown - self.seen_before
        self.view = set()
        for owner, radius in set(self.watches.values()):
            for seen in shown - {owner} if owner in self.places else ():
                away = self.away(owner, seen)
                held = (owner, seen, radius) in before or (seen, owner, radius) in before
                held = held and not appeared & {owner, seen}
                if away <= radius or (held and away <= radius * HYSTERESIS):
                    self.view.add((owner, seen, radius))
        self.seen_before, self.lasting, self.left = shown, set(self.watches), set()
        self.check()
        self.interest.reclaim(self.interest.pairs)

    def away(self, one: str, other: str) -> float:
        (world, x, y), (other_world, other_x, other_y) = self.places[one], self.places[other]
        if world != other_world or frozenset((one, other)) in self.blocks:
            return float("inf")
        return distance(x, y, other_x, other_y)

    def parted(self) -> Iterator[tuple[int, str]]:
        for watch, (owner, _) in self.watches.items():
            for key in KEYS:
                if frozenset((owner, key)) in self.blocks:
                    yield watch, key

    def check(self) -> None:
        """Everybody's view is the model's, with its distances; of two with one radius both see the other or neither."""
        pairs = self.interest.pairs
        assert (pairs[1:] > pairs[:-1]).all()
        got: dict[int, set[str]] = {watch: set() for watch in self.watches}
        for watch, slot, away in zip(watches_of(pairs), slots_of(pairs), self.interest.away, strict=True):
            key = self.interest.keys[slot]
            got[int(watch)].add(key)
            assert away == self.away(self.watches[int(watch)][0], key)
        for watch, (owner, radius) in self.watches.items():
            assert got[watch] == {seen for name, seen, r in self.view if (name, r) == (owner, radius)}
        both = {(owner, radius) for owner, radius in self.watches.values() if owner not in self.hidden}
        for owner, seen, radius in self.view:
            if {(owner, radius), (seen, radius)} <= both and not {owner, seen} & self.hidden:
                assert (seen, owner, radius) in self.view


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32).map(Random))
def test_views_are_those_of_the_model(random: Random) -> None:
    """Step by step, whatever people do between."""
    walks = Walks(random)
    for _ in range(STEPS):
        for name in KEYS:
            walks.act(name)
        walks.step()


def test_one_who_walks_along_the_edge_does_not_flicker() -> None:
    """In at the radius, out above a tenth more, and in again only at the radius."""
    interest = Interest()
    watch = interest.watch("ann", 10)
    interest.place("ann", 0, 0, 0)
    seen = []
    for x in (10.5, 10, 10.5, 11, 11.01, 10.5, 10.01, 10):
        interest.place("bob", 0, x, 0)
        interest.step(lambda key: True)
        seen.append(watch in watches_of(interest.pairs))
    assert seen == [False, True, True, True, False, False, False, True]


def test_nothing_is_kept_of_those_who_are_gone() -> None:
    """Slots and watches serve again, so that a server that runs for long does not grow."""
    interest = Interest()
    for number in range(1_000):
        name = f"visitor-{number}"
        interest.place(name, 0, 0, 0)
        watch = interest.watch(name, 10)
        interest.step(lambda key: True)
        interest.reclaim(interest.pairs)
        interest.unwatch(watch)
        interest.remove(name)
    assert len(interest.keys) < 10 and watch < 10


def test_a_slot_is_not_used_again_while_somebody_has_to_be_told_of_it() -> None:
    """Else one who is behind would take the newcomer for the one who left."""
    interest = Interest()
    interest.watch("ann", 10)
    for name in ("ann", "bob"):
        interest.place(name, 0, 0, 0)
    interest.step(lambda key: True)
    told = interest.pairs
    slot = interest.keys.index("bob")
    interest.remove("bob")
    interest.place("cid", 0, 0, 0)
    interest.step(lambda key: True)
    interest.reclaim(told)
    interest.place("dan", 0, 0, 0)
    interest.step(lambda key: True)
    assert slot not in (interest.keys.index("cid"), interest.keys.index("dan"))
    interest.reclaim(interest.pairs)
    interest.place("eve", 0, 0, 0)
    interest.step(lambda key: True)
    assert interest.keys.index("eve") == slot

"""Which passwords may not be chosen: the most common ones, and those that say nothing.

The list is zxcvbn's, of passwords by how often they were found in breaches. Asked when a password is
chosen, never when somebody signs in with one.
"""

from __future__ import annotations

from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from server.errors import invalid

LEAST_CHARACTERS: Final = 3  # different ones: `aaaaaaaa` and `abababab` are in every guesser's first thousand

_COMMON: Final = frozenset(FREQUENCY_LISTS["passwords"])


def check_new(password: str, username: str) -> None:
    """Raises `invalid_message` with a sentence that says what is wrong with it."""
    folded = password.casefold()
    if folded == username.casefold():
        raise invalid("the password must not be the username (field `password`)")
    if folded in _COMMON:
        raise invalid("this password is one of the most common: choose another (field `password`)")
    if len(set(folded)) < LEAST_CHARACTERS:
        raise invalid(f"expected {LEAST_CHARACTERS} different characters or more (field `password`)")

"""What bots say. The slots are filled from what they see: a line whose slots cannot be is not said.

`{land}` where they stand, `{other}` another land and `{way}` in which direction it lies, `{near}` somebody
in the room, `{who}` the one who is answered, `{me}` themselves.
"""

from __future__ import annotations

from typing import Final

OPENERS: Final = (
    "I could stay in {land} all day.",
    "Is it me, or is {land} quieter than usual?",
    "It is easy to lose an hour here.",
    "I am on my way to {other}, but there is no hurry.",
    "{other} is just {way} of here, if you have not been.",
    "Has anybody come through {other} today?",
    "I walked here from {other}. Longer than it looks.",
    "What brings you to {land}, {near}?",
    "{near}, were you not in {other} a while ago?",
    "Good to see you here, {near}.",
    "{near} walks faster than I do. I have given up.",
    "The light is kind to {land} at this hour.",
    "Somebody should put a bench here.",
    "I count the tufts of grass when nobody talks.",
    "Who named {land}, I wonder.",
    "If you walk {way} from here, you come to {other}.",
    "I like that one can hear who comes nearer.",
    "They say {other} has the better view. I am not so sure.",
    "One more round, and then {other}.",
    "My feet know the way from {other} to {land} by now.",
    "{near}, do you know where everybody is going?",
    "A good place to stand still, {land}.",
    "I came for a minute. That was a while ago.",
    "Do you think it will get busier later?",
    "Let us meet in {other} afterwards.",
    "I keep to the right on the paths. Few do.",
    "Nobody ever runs in {land}. I like that.",
    "{near} and I meet everywhere.",
    "There is always somebody in {other}.",
    "I am trying to remember what I came here for.",
    "From here one sees nearly all of the village.",
    "Have you heard the latest from {other}? Neither have I.",
    "I think the contour lines are prettiest {way} of here.",
    "It takes about half a minute from here to {other}. I have counted.",
)

# To what another bot said, and to what it asked.
REMARKS: Final = (
    "I was about to say the same.",
    "That is what I like about {land}.",
    "You may be right, {who}.",
    "I had not thought of that, {who}.",
    "It was the same yesterday.",
    "Every time!",
    "I know the feeling, {who}.",
    "Ha! True.",
    "You always say that, {who}.",
    "Tell them in {other}, they will not believe it.",
)
GUESSES: Final = (
    "Ask me again when I have been to {other}.",
    "Not as far as I know.",
    "Your guess is as good as mine, {who}.",
    "I only know about {land}.",
    "They would know in {other}.",
    "Who can say, {who}?",
)

# To somebody who has just come.
WELCOMES: Final = (
    "Hello {who}, welcome to {land}.",
    "Hi {who}! Good that you are here.",
    "Oh, hello {who}.",
    "Welcome, {who}. This is {land}.",
    "Look who is here. Hello {who}!",
)

# To what somebody said, by what it is: the first kind of which it has a word. `?` stands for any question.
REPLIES: Final[tuple[tuple[frozenset[str], tuple[str, ...]], ...]] = (
    (
        frozenset({"bot", "bots", "robot", "human", "real", "ai"}),
        (
            "I am a bot, {who}: I walk about so that the place is not empty.",
            "A bot, as my name says. But I do like it here, {who}.",
        ),
    ),
    (
        frozenset({"bye", "goodbye", "cu", "later", "ciao", "night"}),
        ("See you, {who}!", "Take care, {who}.", "Until next time, {who}."),
    ),
    (
        frozenset({"thanks", "thank", "thx", "cheers"}),
        ("You are welcome, {who}.", "Any time, {who}.", "With pleasure."),
    ),
    (
        frozenset({"where", "place", "here", "way"}),
        (
            "You are in {land}, {who}. {other} is to the {way}.",
            "This is {land}. If you go {way} you come to {other}.",
            "In {land}, {who}.",
            "Somewhere between two lands, {who}.",
        ),
    ),
    (
        frozenset({"who", "name", "names"}),
        ("I am {me}. And you are {who}, I see.", "{me} is my name, {who}."),
    ),
    (
        frozenset(
            {"hello", "hi", "hey", "hallo", "hola", "salut", "ciao", "morning", "evening", "greetings"}
        ),
        (
            "Hello {who}!",
            "Hi {who}, nice to meet you. I am {me}.",
            "Hello {who}. Do you like it in {land}?",
            "Good to see you, {who}.",
        ),
    ),
    (
        frozenset({"how"}),
        (
            "Very well, {who}, and you?",
            "I cannot complain: I get about.",
            "A little tired from walking, else fine.",
        ),
    ),
    (
        frozenset({"?"}),
        (
            "Good question, {who}.",
            "I would have to ask around, {who}.",
            "I wish I knew. Ask somebody in {other}?",
            "Hard to say, {who}.",
        ),
    ),
)
OTHERWISE: Final = (
    "I see what you mean, {who}.",
    "Tell me more, {who}.",
    "That is one way to look at it.",
    "Indeed, {who}.",
    "I will tell them in {other}.",
    "Interesting, {who}. Nobody has told me that before.",
)

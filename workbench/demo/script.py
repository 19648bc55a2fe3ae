"""The invented drama: who speaks, what they say, and how each emotion is delivered."""

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.demo.voice import Manner, Voice

#: Six speakers; each episode has three of them.
CAST = (
    Voice("Ah-Mei", "en-us+f2", "female", 55),
    Voice("Uncle Lim", "en-us+m3", "male", 40),
    Voice("Siok-Hun", "en-gb-x-rp+f4", "female", 60),
    Voice("Ka-Bing", "en-gb-scotland+m7", "male", 45),
    Voice("Grandmother", "en+linda", "female", 45),
    Voice("The lawyer", "en-us+michael", "male", 50),
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an emotion sounds here: the synthesiser's manner, then gain, tremolo, breath and drive on the samples.

    `tremolo_hz` 0 is none; `breath` is noise following the voice, as a share of it; `drive` 0 is none; `dull_hz` cuts
    the highs, None leaves them.
    """

    manner: Manner
    gain_db: float
    tremolo_hz: float = 0.0
    breath: float = 0.0
    drive: float = 0.0
    dull_hz: float | None = None


DELIVERIES: Mapping[str, Delivery] = {
    "happy": Delivery(Manner(185, 12, 95, 100), gain_db=-2.0),
    "sad": Delivery(Manner(120, -14, 18, 85), gain_db=-7.0, breath=0.05, dull_hz=2200.0),
    "angry": Delivery(Manner(190, 4, 70, 110), gain_db=1.0, drive=6.0),
    "fearful": Delivery(Manner(205, 26, 45, 85), gain_db=-5.0, tremolo_hz=8.0, breath=0.16),
    "neutral": Delivery(Manner(160, 0, 45, 95), gain_db=-5.0),
}

#: Lines that belong to one emotion, and lines anybody may say in any way: the words alone do not give it away.
LINES: Mapping[str, tuple[str, ...]] = {
    "happy": (
        "You came back! I knew that you would come back to us before the new year.",
        "They said yes, mother, they said yes to everything that we asked for.",
        "Look at the little one laugh, he has his grandfather's ears and nobody's patience.",
        "At last the shop is ours again, and tonight the whole street will eat with us.",
    ),
    "sad": (
        "He never wrote to me, not once in all those years that I waited here.",
        "The house is so quiet now that I can hear the clock in the other room.",
        "I kept his coat by the door, as if he would need it in the morning.",
        "There is nothing left to sell, and nobody left who would lend us anything.",
    ),
    "angry": (
        "You signed it behind my back, and then you sat at my table and smiled!",
        "Get out of this house, and take your lies and your presents with you!",
        "How dare you speak of my father, you who never worked a day for him!",
        "I told you not to open that door, and now look what has happened to us!",
    ),
    "fearful": (
        "Somebody is standing by the gate, he has been there since it got dark.",
        "Please do not tell them that I was here, they will take the child away.",
        "The hospital has not called, and she should have been back hours ago.",
        "Did you hear that? Close the window, put out the lamp, and do not move.",
    ),
    "neutral": (
        "The boat leaves at seven from the second pier, and the ticket is in the drawer.",
        "Your cousin telephoned this afternoon about the papers for the bank.",
        "We have rice, a little fish and the soup that was left from yesterday.",
        "The lawyer will come on Thursday, and then we shall all sit down together.",
    ),
    "any": (
        "He is my brother, and this is the only house that we have ever had.",
        "You know what they say about that family on the other side of the river.",
        "I saw the letter on the table, and I read it from beginning to end.",
        "She is coming up the stairs now, and she is not alone this time.",
        "It was raining on the day that we buried him, do you still remember?",
        "Tomorrow I am going to the city, and I will speak to the old man myself.",
        "Nobody in this village has forgotten what happened in that summer.",
        "You were always the one that our father trusted with the keys.",
        "That is the third time this week that someone has asked me about the land.",
        "The wedding is in five days, and the whole family has been invited.",
    ),
}

#: The acted corpus: one carrier phrase, and words that no drama line turns on.
CARRIER = "Say the word, {word}."
#: Acted speech is slow: as a share of the words per minute of the drama.
ACTED_PACE = 0.6
WORDS = ("back", "bar", "base", "bath", "bean", "beg", "bite", "boat", "bone", "book", "bought", "burn")
ACTRESSES: Mapping[str, Voice] = {
    "OAF": Voice("older actress", "en-us+f3", "female", 45),
    "YAF": Voice("younger actress", "en-us+f5", "female", 62),
}

"""Which passwords are tried first.

The lists of the most common passwords consist of few words, with digits behind them, letters replaced by look-alikes,
and walks over the keyboard. The rules here refuse those families, so that a short list does the work of a long one.
"""

import re

_WORDS = frozenset(
    """
    abc abcabc access account admin administrator alexander amanda america andrea andrew angel angela angels anthony
    apple april arsenal asdf asdfgh ashley asshole august austin babygirl bailey banana barcelona baseball basketball
    batman beautiful biteme blink bubbles buster butterfly carlos charlie charlotte cheese chelsea chicken chocolate
    chris christian cocacola computer cookie corvette cowboys dakota dallas daniel danielle database default diamond
    dolphin donald dragon dutiful einstein elizabeth eminem fckgw fender ferrari flower football forever freedom friday
    friends fuckme fuckoff fuckyou gandalf garfield george ginger google guest guitar gunner hallo hammer hannah
    harley heaven hello hockey hotmail hottie hunter iceman ichliebedich iloveu iloveyou internet jackson january
    jasmine jennifer jessica jesus jesuschrist johnny jonathan jordan joseph joshua july june justin killer
    kitty lakers lavender letmein linkedin liverpool login london loveme lovely loveyou madison maggie manager
    manchester march marina marlboro martin master matrix matthew maverick melissa mercedes merlin metallica
    michael michelle microsoft midnight minecraft minnie mohammed monday money monkey monster mustang naruto natasha
    nicole nintendo november nothing october office oracle orange pakistan pass passwort password passw passcode
    passphrase patrick patricia peanut pepper phoenix player please pokemon porsche princess private purple pussy
    qazwsx qwe qwert qwerty qwertz rachel rainbow ranger rangers realmadrid rebecca robert rockstar rockyou root
    samantha samsung sample scooter secret security september server service shadow silver simple slipknot snoopy
    soccer spiderman spring starwars steelers steven sugar summer sunday sunflower sunshine superman superstar
    support swordfish sysadmin system taylor teacher temp tennis tequila test tester testing testtest thomas thunder
    tigger tinkerbell trustno user username vanessa victoria viking wachtwoord webmaster welcome whatever william willkommen
    windows winner winter wizard wordpass yankees yellow zaq zxcvbn
    """.split()  # noqa: SIM905 - one word a line would be 400 lines
)

_AS_THEY_ARE = frozenset(
    """
    1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qazxsw2 q1w2e3r4 q1w2e3r4t5 qazwsxedc zaq12wsx zaq1zaq1 1a2b3c4d a1b2c3d4
    correcthorsebatterystaple correct-horse-battery-staple ncc1701d ncc1701e trustno1 g_czechout gfhjkm12 yfnfif12
    87654321 31415926 11223344 12344321 123454321 147258369 741852963 789456123 159357456 13579246 24681012
    """.split()  # noqa: SIM905 - one word a line would be 400 lines
)

_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
)
_WALKS = frozenset(
    way[at : at + 3] for row in _ROWS for way in (row, row[::-1]) for at in range(len(row) - 2)
)
_LOOK_ALIKES = str.maketrans("0134578@$!+", "oieastbasit")
# More than this around a word makes it a password of its own.
_MOST_AROUND_A_WORD = 5


def is_common(password: str) -> bool:
    plain = password.casefold()
    return (
        plain in _AS_THEY_ARE
        or _is_pattern(plain)
        or _is_word(plain)
        or _is_word(_without_look_alikes(plain))
    )


def is_made_of(password: str, word: str) -> bool:
    """True for `word` itself, or with little around it."""
    plain, word = password.casefold(), word.casefold()
    return bool(word) and word in plain and len(plain) - len(word) <= _MOST_AROUND_A_WORD


def _is_word(plain: str) -> bool:
    word = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain)
    if word not in _WORDS and (repeated := re.fullmatch(r"(\w+)\1+", word)):
        word = repeated[1]
    return word in _WORDS and (
        len(plain) - len(word) <= _MOST_AROUND_A_WORD or _is_pattern(plain.replace(word, ""))
    )


def _without_look_alikes(plain: str) -> str:
    """Those behind the word are rather a number: `dr4gon2024` is `dragon2024`."""
    tail = re.search(r"[\W\d_]*$", plain)
    end = tail.start() if tail else len(plain)
    return plain[:end].translate(_LOOK_ALIKES) + plain[end:]


def _is_pattern(plain: str) -> bool:
    """One to four characters again and again, or little but walks over the keyboard or the alphabet."""
    if re.fullmatch(r"(.{1,4}?)\1*", plain, re.DOTALL):
        return len(plain) > 4 or len(set(plain)) == 1
    walked: set[int] = set()
    for at in range(len(plain) - 2):
        if plain[at : at + 3] in _WALKS or len(set(plain[at : at + 3])) == 1:
            walked.update(range(at, at + 3))
    return len(plain) - len(walked) <= 2

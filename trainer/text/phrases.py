"""Small grammar for target texts: what a phrase names, without template, article and colours."""

from __future__ import annotations

import re

from usearch.text.colours import colour_words


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


_TEMPLATES = re.compile(
    r"^(?:(?:this|that|it|here) (?:is|are) |there (?:is|are) |these are |i see |show me |find )?"
    r"(?:(?:a|an|the|one|some|my|many) )?"
    r"(?:(?:good|bad|nice|cropped|bright|dark|blurry|low resolution|pixelated|jpeg corrupted"
    r"|close-up|close up|closeup|black and white|colou?r|old|beautiful|small|large) )*"
    r"(?:photos?|photographs?|pictures?|images?|pics?|snapshots?|view|close-up|itap|crops?) "
    r"(?:of |showing |with )"
    r"(?:(?:a|an|the|one|some|my|many) )?(?:(?:hard to see|cool|weird|nice|clean|dirty) )?"
)
_SCENE = re.compile(
    r"^(?:(?:this|that|it|here) is|there (?:is|are)|these are|i see|show me|find)"
    r" (?:(?:a|an|the|one|some|my|many) )?"
)
_TAIL = re.compile(r" in (?:the|this) (?:scene|photo|picture|image|foreground|background)$")
_ARTICLE = re.compile(r"^(?:a|an|the|some|one|my|your|his|her|their|any|another|this|that) ")
_BREAKS = _words(
    "of on in at with near by under over beside behind next to from for and or wearing holding"
    " riding standing sitting eating playing is are that which inside against while up down"
    " between above below around through across along made covered filled full"
)
_KEEP_S = _words(
    "bus glass grass dress gas lens moss cross brass class mattress canvas christmas cactus"
    " octopus asparagus hibiscus walrus platypus hippopotamus rhinoceros princess compass"
    " eucalyptus citrus fungus lotus crocus virus chess harness fortress mistress waitress"
    " actress wilderness darkness business boss kiss bass iris tennis pelvis series species"
    " scissors pants jeans shorts trousers glasses sunglasses goggles pliers binoculars"
    " tights leggings headphones pajamas clothes skis stairs always this his its yes"
)
_IRREGULAR = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse",
    "geese": "goose", "feet": "foot", "teeth": "tooth", "leaves": "leaf", "knives": "knife",
    "wolves": "wolf", "shelves": "shelf", "loaves": "loaf", "calves": "calf", "oxen": "ox",
    "scarves": "scarf", "firemen": "fireman", "policemen": "policeman", "lives": "life",
    "potatoes": "potato", "tomatoes": "tomato", "wives": "wife", "cacti": "cactus",
}  # fmt: skip


def normal(text: str) -> str:
    """Lower case, single spaces, no full stop at the end."""
    return re.sub(r"\s+", " ", text.lower().replace("_", " ")).strip(" .,;:!?\"'")


def content(text: str) -> str:
    """What is left of a text without template sentence and article: "a photo of a dog" -> "dog"."""
    core = normal(text)
    stripped = _SCENE.sub("", _TEMPLATES.sub("", core)) or core
    stripped = _TAIL.sub("", stripped) or stripped
    return (_ARTICLE.sub("", stripped) or stripped).strip() or core


def singular(phrase: str) -> str:
    """The phrase with its last word in the singular, by rule."""
    *front, word = phrase.split(" ")
    if word in _IRREGULAR:
        word = _IRREGULAR[word]
    elif word in _KEEP_S or len(word) < 4 or not word.endswith("s") or word.endswith("ss"):
        pass
    elif word.endswith("es") and word[:-2] in _KEEP_S:
        word = word[:-2]
    elif word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif re.search(r"(?:ch|sh|x|ss|zz)es$", word):
        word = word[:-2]
    else:
        word = word[:-1]
    return " ".join([*front, word])


def plural(phrase: str) -> str:
    """The phrase with its last word in the plural, by rule."""
    *front, word = phrase.split(" ")
    back = {one: many for many, one in _IRREGULAR.items()}
    if word in back:
        word = back[word]
    elif word in _KEEP_S and word not in {"bus", "glass", "dress", "lens", "boss", "mattress"}:
        pass
    elif re.search(r"(?:ch|sh|x|s|z)$", word):
        word += "es"
    elif re.search(r"[^aeiou]y$", word):
        word = word[:-1] + "ies"
    else:
        word += "s"
    return " ".join([*front, word])


def without_colours(phrase: str) -> str:
    """The phrase without its colour words: "red and white car" -> "car"."""
    words = set(colour_words(phrase))
    kept = [w for w in phrase.split(" ") if w.strip(",-") not in words]
    text = re.sub(r"^(?:and |, |or |with )+", "", " ".join(kept)).strip()
    text = re.sub(r"^(?:dark|light|bright|pale|deep) (?=\S)", "", text) if words else text
    return re.sub(r"^(?:colou?red|colou?r) ?", "", text).strip() if words else text


def clauses(phrase: str) -> list[list[str]]:
    """Splits a phrase at prepositions, conjunctions and common participles into word lists."""
    parts: list[list[str]] = [[]]
    for word in re.findall(r"[a-z0-9'-]+", phrase):
        if word in _BREAKS:
            parts.append([])
        elif not _ARTICLE.match(word + " "):
            parts[-1].append(word)
    return [p for p in parts if p]

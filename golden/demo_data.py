"""Scenes of coloured shapes and small signs, and questions about them in English and Chinese.

A scene is laid out on a grid of 3 x 3 cells. Small scenes are 84 x 84 pictures; large ones are 168 x 168, which the
model cuts into an overview and four slices, with signs whose letters can be read in the slices only; clips are three
frames that share one block of tokens. What is held out is so by construction: a hash of each layout, and of each pair
of a word and a number on a sign, says whether it belongs to training.
"""

import zlib
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

CELL = 28
GRID = 3
SIDE = CELL * GRID

SHAPES = (("circle", "圆"), ("square", "方块"), ("triangle", "三角"), ("star", "星星"), ("heart", "爱心"))
PLURALS = ("circles", "squares", "triangles", "stars", "hearts")
COLOURS = (
    (("red", "红色"), (214, 48, 49)),
    (("green", "绿色"), (39, 154, 84)),
    (("blue", "蓝色"), (38, 99, 214)),
    (("yellow", "黄色"), (244, 196, 32)),
    (("black", "黑色"), (34, 34, 40)),
)
SIGN_COLOURS = (
    (("white", "白色"), (255, 255, 255)),
    (("orange", "橙色"), (255, 176, 96)),
    (("pink", "粉色"), (255, 168, 200)),
    (("cyan", "青色"), (128, 224, 232)),
)
BACKGROUNDS = ((244, 240, 230), (226, 236, 244), (232, 240, 224), (240, 230, 238), (220, 220, 224))
WORDS = tuple("CAT DOG SUN MAP BUS TEA BOX KEY ICE EGG FOX JAM".split())

# Five columns and seven rows a letter.
FONT = {
    "A": "01110 10001 10001 11111 10001 10001 10001",
    "B": "11110 10001 10001 11110 10001 10001 11110",
    "C": "01110 10001 10000 10000 10000 10001 01110",
    "D": "11110 10001 10001 10001 10001 10001 11110",
    "E": "11111 10000 10000 11110 10000 10000 11111",
    "F": "11111 10000 10000 11110 10000 10000 10000",
    "G": "01110 10001 10000 10111 10001 10001 01110",
    "I": "01110 00100 00100 00100 00100 00100 01110",
    "J": "00111 00010 00010 00010 00010 10010 01100",
    "K": "10001 10010 10100 11000 10100 10010 10001",
    "M": "10001 11011 10101 10101 10001 10001 10001",
    "N": "10001 11001 11001 10101 10011 10011 10001",
    "O": "01110 10001 10001 10001 10001 10001 01110",
    "P": "11110 10001 10001 11110 10000 10000 10000",
    "S": "01111 10000 10000 01110 00001 00001 11110",
    "T": "11111 00100 00100 00100 00100 00100 00100",
    "U": "10001 10001 10001 10001 10001 10001 01110",
    "X": "10001 10001 01010 00100 01010 10001 10001",
    "Y": "10001 10001 01010 00100 00100 00100 00100",
    "0": "01110 10001 10011 10101 11001 10001 01110",
    "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00110 01000 10000 11111",
    "3": "11110 00001 00001 01110 00001 00001 11110",
    "4": "00010 00110 01010 10010 11111 00010 00010",
    "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "00110 01000 10000 11110 10001 10001 01110",
    "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110",
    "9": "01110 10001 10001 01111 00001 00010 01100",
}
GLYPHS = {letter: np.array([[c == "1" for c in row] for row in rows.split()]) for letter, rows in FONT.items()}


def is_held_out(*key) -> bool:
    """Whether a layout (or a word with its number) is kept from training: one in six, by its hash."""
    return zlib.crc32(repr(key).encode()) % 6 == 0


# ---- Scenes ----


@dataclass(frozen=True, order=True)
class Thing:
    """A shape in a cell of the 3 x 3 grid."""

    row: int
    col: int
    shape: int
    colour: int


@dataclass(frozen=True, order=True)
class Sign:
    """A card with a word and a number, in a cell of a large picture's 6 x 6 grid."""

    row: int
    col: int
    colour: int
    word: int
    number: int


@dataclass
class Scene:
    """Pictures and what is in them. kind: "small", "large", "pair" or "clip"."""

    kind: str
    things: list[tuple[Thing, ...]]  # of each picture, in reading order; of each frame in a clip
    signs: tuple[Sign, ...] = ()
    images: list[np.ndarray] = field(default_factory=list)  # [side, side, 3] u8
    times: tuple[int, ...] = ()  # temporal ids of a clip's frames
    story: tuple = ()  # what a clip shows: ("move", thing, direction) or ("follow", first, second)


def shape_polygon(shape: str, n: int):
    """The outline of a shape in a square of n x n."""
    at = lambda pairs: [(x * n, y * n) for x, y in pairs]
    if shape == "square":
        return at([(0.08, 0.08), (0.92, 0.08), (0.92, 0.92), (0.08, 0.92)])
    if shape == "triangle":
        return at([(0.5, 0.04), (0.98, 0.94), (0.02, 0.94)])
    if shape == "star":
        angles = np.arange(10) * np.pi / 5 - np.pi / 2
        radii = np.where(np.arange(10) % 2 == 0, 0.5, 0.21)
        return at([(0.5 + r * np.cos(a), 0.53 + r * np.sin(a)) for a, r in zip(angles, radii)])
    angles = np.linspace(0, 2 * np.pi, 64)
    x = 16 * np.sin(angles) ** 3
    y = 13 * np.cos(angles) - 5 * np.cos(2 * angles) - 2 * np.cos(3 * angles) - np.cos(4 * angles)
    return at(zip(0.5 + x / 34, 0.47 - y / 34))


def draw_mask(shape: str, size: int) -> np.ndarray:
    """A shape's coverage of each pixel, [size, size, 1] in 0..1."""
    n = size * 8
    mask = Image.new("L", (n, n), 0)
    draw = ImageDraw.Draw(mask)
    if shape == "circle":
        draw.ellipse((n * 0.03, n * 0.03, n * 0.97, n * 0.97), fill=255)
    else:
        draw.polygon(shape_polygon(shape, n), fill=255)
    mask = np.asarray(mask, dtype=np.float32).reshape(size, 8, size, 8).mean((1, 3)) / 255
    return mask[:, :, None]


MASKS: dict[tuple[int, int], np.ndarray] = {}


def mask_of(shape: int, size: int) -> np.ndarray:
    if (shape, size) not in MASKS:
        MASKS[shape, size] = draw_mask(SHAPES[shape][0], size)
    return MASKS[shape, size]


def blank(rng, side: int) -> np.ndarray:
    """A picture of one light colour."""
    colour = np.array(BACKGROUNDS[rng.integers(len(BACKGROUNDS))]) + rng.integers(-6, 7, 3)
    return np.broadcast_to(np.clip(colour, 0, 255).astype(np.float32), (side, side, 3)).copy()


def draw_shape(image: np.ndarray, shape: int, tint: np.ndarray, size: int, x: int, y: int) -> None:
    """Draws a shape around (x, y); what lies outside the picture is cut off."""
    mask = mask_of(shape, size)
    top, left = y - size // 2, x - size // 2
    rows = slice(max(0, -top), min(size, image.shape[0] - top))
    cols = slice(max(0, -left), min(size, image.shape[1] - left))
    mask = mask[rows, cols]
    part = image[top + rows.start : top + rows.stop, left + cols.start : left + cols.stop]
    part += mask * (tint - part)


def tint_of(rng, colour: int) -> np.ndarray:
    return np.clip(np.array(COLOURS[colour][1]) + rng.integers(-12, 13, 3), 0, 255).astype(np.float32)


def draw_thing(rng, image: np.ndarray, thing: Thing, scale: int) -> None:
    size = int(rng.integers(21, 27)) * scale
    x, y = (np.array([thing.col, thing.row]) * CELL + CELL // 2 + rng.integers(-2, 3, 2)) * scale
    draw_shape(image, thing.shape, tint_of(rng, thing.colour), size, int(x), int(y))


def draw_text(image: np.ndarray, text: str, x: int, y: int) -> None:
    for letter in text:
        image[y : y + 7, x : x + 5][GLYPHS[letter]] = (20, 20, 24)
        x += 6


def draw_sign(rng, image: np.ndarray, sign: Sign) -> None:
    x, y = np.array([sign.col, sign.row]) * CELL + rng.integers(-1, 2, 2)
    card = image[y + 1 : y + 26, x + 1 : x + 27]
    card[:] = (90, 90, 96)
    card[1:-1, 1:-1] = SIGN_COLOURS[sign.colour][1]
    word, number = WORDS[sign.word], str(sign.number)
    draw_text(image, word, x + (29 - 6 * len(word)) // 2, y + 4)
    draw_text(image, number, x + 8, y + 16)


def to_u8(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def random_things(rng, count: int, cells=None) -> tuple[Thing, ...]:
    cells = np.arange(GRID * GRID) if cells is None else cells
    # Few shapes and colours at a time, so that some repeat.
    shapes = rng.permutation(len(SHAPES))[: rng.integers(2, len(SHAPES) + 1)]
    colours = rng.permutation(len(COLOURS))[: rng.integers(2, len(COLOURS) + 1)]
    places = rng.choice(cells, min(count, len(cells)), replace=False)
    return tuple(
        sorted(Thing(int(p) // GRID, int(p) % GRID, int(rng.choice(shapes)), int(rng.choice(colours))) for p in places)
    )


def draw_small(rng, things: tuple[Thing, ...]) -> np.ndarray:
    image = blank(rng, SIDE)
    for thing in things:
        draw_thing(rng, image, thing, 1)
    return to_u8(image)


def small_scene(rng) -> Scene:
    things = random_things(rng, int(rng.integers(1, 5)))
    return Scene("small", [things], images=[draw_small(rng, things)])


def pair_scene(rng) -> Scene:
    pictures = [random_things(rng, int(rng.integers(1, 4))) for _ in range(2)]
    return Scene("pair", pictures, images=[draw_small(rng, things) for things in pictures])


def random_sign(rng, row: int, col: int, colour: int, held_out: bool) -> Sign:
    while True:
        word, number = int(rng.integers(len(WORDS))), int(rng.integers(10, 100))
        if is_held_out(word, number) == held_out:
            return Sign(row, col, colour, word, number)


def large_scene(rng, held_out: bool) -> Scene:
    """Signs in some of the slices, and a shape or two, each where it is whole in the overview."""
    quarters = rng.permutation(4)[: rng.integers(1, 4)]
    colours = rng.permutation(len(SIGN_COLOURS))
    signs = []
    for quarter, colour in zip(quarters, colours):
        row, col = (int(quarter) // 2) * GRID + rng.integers(GRID), (int(quarter) % 2) * GRID + rng.integers(GRID)
        signs.append(random_sign(rng, int(row), int(col), int(colour), held_out))
    taken = {(sign.row // 2) * GRID + sign.col // 2 for sign in signs}
    things = random_things(rng, int(rng.integers(0, 3)), [c for c in range(GRID * GRID) if c not in taken])
    image = blank(rng, 2 * SIDE)
    for thing in things:
        draw_thing(rng, image, thing, 2)
    for sign in signs:
        draw_sign(rng, image, sign)
    return Scene("large", [things], tuple(sorted(signs)), [to_u8(image)])


def note_scene(rng, most: int = 3) -> Scene:
    """A small picture of signs: reading for beginners."""
    cells = rng.permutation(GRID * GRID)[: rng.integers(1, most + 1)]
    colours = rng.permutation(len(SIGN_COLOURS)) if most <= len(SIGN_COLOURS) else rng.integers(4, size=len(cells))
    signs = [random_sign(rng, int(c) // GRID, int(c) % GRID, int(k), False) for c, k in zip(cells, colours)]
    image = blank(rng, SIDE)
    for sign in signs:
        draw_sign(rng, image, sign)
    return Scene("note", [()], tuple(signs), [to_u8(image)])


DIRECTIONS = ((("left", "左"), (0, -1)), (("right", "右"), (0, 1)), (("up", "上"), (-1, 0)), (("down", "下"), (1, 0)))
TIMES = (0, 10, 20)  # a frame each second, in tenths


def clip_scene(rng) -> Scene:
    """Three frames: something crosses the picture, or one thing gives way to another; a third may stand still.

    Backwards each clip is one as likely as forwards, so that a motion's sense and an order are in the times alone.
    """
    shapes, places = rng.permutation(len(SHAPES)), rng.permutation(GRID * GRID)
    hero, other, third = (
        Thing(int(place) // GRID, int(place) % GRID, int(shape), int(rng.integers(len(COLOURS))))
        for place, shape in zip(places[:3], shapes[:3])
    )
    rest = [third] if rng.random() < 0.5 else []
    if rng.random() < 0.5:
        direction = int(rng.integers(4))
        dy, dx = DIRECTIONS[direction][1]
        track = [(hero.row, k) if dx else (k, hero.col) for k in range(GRID)][:: dx + dy]
        rest = [thing for thing in [other] + rest if (thing.row, thing.col) not in track]
        frames = [Thing(*place, hero.shape, hero.colour) for place in track]
        contents = [tuple(sorted([*rest, frame])) for frame in frames]
        story = ("move", frames[0], direction)
    else:
        middle = ([hero], [other], [hero, other])[rng.integers(3)]
        contents = [tuple(sorted(rest + shown)) for shown in ([hero], middle, [other])]
        story = ("follow", hero, other)
    seed, background = int(rng.integers(1 << 30)), int(rng.integers(1 << 30))
    images = []
    for content in contents:
        image = blank(np.random.default_rng(background), SIDE)
        for thing in content:
            draw_thing(np.random.default_rng((seed, thing.shape)), image, thing, 1)
        images.append(to_u8(image))
    return Scene("clip", contents, images=images, times=TIMES, story=story)


def make_scene(kind: str, rng, held_out: bool) -> Scene:
    """A scene of the asked kind on the asked side of the split."""
    while True:
        if kind in ("sheet", "note"):
            return note_scene(rng, 8 if kind == "sheet" else 3)
        if kind == "large":
            scene = large_scene(rng, held_out)
        else:
            scene = {"small": small_scene, "pair": pair_scene, "clip": clip_scene}[kind](rng)
        layout = [[(t.row, t.col, t.shape, t.colour) for t in things] for things in scene.things]
        if is_held_out(scene.kind, layout, [(s.row, s.col, s.colour) for s in scene.signs]) == held_out:
            return scene


# ---- Questions ----


@dataclass(frozen=True)
class Item:
    """A conversation about a scene: questions with their answers, the last of which is asked for."""

    ability: str
    language: str  # "en" or "zh"
    turns: tuple[tuple[str, str], ...]
    thought: str | None = None  # what stands between the <think> tags

    @property
    def answer(self) -> str:
        return self.turns[-1][1]


def name(thing, language: int) -> str:
    colour, shape = COLOURS[thing.colour][0][language], SHAPES[thing.shape][language]
    return f"{colour}的{shape}" if language else f"{colour} {shape}"


def shape_name(shape: int, language: int) -> str:
    return SHAPES[shape][language]


def colour_name(colour: int, language: int) -> str:
    return COLOURS[colour][0][language]


def pick(rng, *phrasings):
    return phrasings[rng.integers(len(phrasings))]


def unique_shapes(things) -> list[Thing]:
    shapes = [thing.shape for thing in things]
    return [thing for thing in things if shapes.count(thing.shape) == 1]


def ask_shapes(rng, scene, z):
    """Names everything in the picture, in reading order."""
    things = scene.things[0]
    if not things:
        return None
    if rng.random() < 0.6:
        answer = ("、" if z else ", ").join(name(thing, z) for thing in things)
        question = "图里有什么？" if z else "What is in the picture?"
    else:
        answer = ("、" if z else ", ").join(shape_name(thing.shape, z) for thing in things)
        question = "图里有哪些形状？" if z else "Which shapes are in the picture?"
    return "shapes", ((question, answer),)


def ask_colours(rng, scene, z):
    candidates = unique_shapes(scene.things[0])
    if not candidates:
        return None
    thing = candidates[rng.integers(len(candidates))]
    shape = shape_name(thing.shape, z)
    question = f"{shape}是什么颜色？" if z else f"What colour is the {shape}?"
    return "colours", ((question, colour_name(thing.colour, z)),)


def count_question(rng, things, z):
    """A question for a number, and the things that it is about."""
    way = rng.random()
    if way < 0.34 or not things:
        return "图里有几个形状？" if z else "How many shapes are there?", list(things)
    pool = [thing.shape for thing in things] + list(range(len(SHAPES)))
    if way < 0.67:
        shape = int(pool[rng.integers(len(pool))])
        question = f"有几个{shape_name(shape, z)}？" if z else f"How many {PLURALS[shape]} are there?"
        return question, [thing for thing in things if thing.shape == shape]
    pool = [thing.colour for thing in things] + list(range(len(COLOURS)))
    colour = int(pool[rng.integers(len(pool))])
    question = f"有几个{colour_name(colour, z)}的形状？" if z else f"How many {colour_name(colour, z)} shapes are there?"
    return question, [thing for thing in things if thing.colour == colour]


def ask_count(rng, scene, z):
    question, counted = count_question(rng, scene.things[0], z)
    return "count", ((question, str(len(counted))),)


# A cell's name, in reading order.
PLACES = (
    "top left,top centre,top right,middle left,middle,middle right,bottom left,bottom centre,bottom right".split(","),
    "左上 中上 右上 左中 中间 右中 左下 中下 右下".split(),
)


def place_name(thing, z) -> str:
    return PLACES[z][thing.row * GRID + thing.col]


def ask_position(rng, scene, z):
    things = scene.things[0]
    candidates = unique_shapes(things)
    way = rng.random()
    if way < 0.4 and candidates:
        thing = candidates[rng.integers(len(candidates))]
        shape = shape_name(thing.shape, z)
        return "position", ((f"{shape}在哪里？" if z else f"Where is the {shape}?", place_name(thing, z)),)
    if len(candidates) < 2:
        return None
    i, j = rng.permutation(len(candidates))[:2]
    a, b = candidates[i], candidates[j]
    first, second = shape_name(a.shape, z), shape_name(b.shape, z)
    if rng.random() < 0.5:
        if a.col == b.col:
            return None
        question = f"{first}在{second}的左边还是右边？" if z else f"Is the {first} left or right of the {second}?"
        return "position", ((question, ("左边" if z else "left") if a.col < b.col else ("右边" if z else "right")),)
    if a.row == b.row:
        return None
    question = f"{first}在{second}的上面还是下面？" if z else f"Is the {first} above or below the {second}?"
    return "position", ((question, ("上面" if z else "above") if a.row < b.row else ("下面" if z else "below")),)


def ask_absent(rng, scene, z):
    """Asks about what may not be there; half of the answers say so."""
    things = scene.things[0]
    present = {thing.shape for thing in things}
    missing = [shape for shape in range(len(SHAPES)) if shape not in present]
    way = rng.random()
    if way < 0.4 and missing:
        shape = shape_name(int(rng.choice(missing)), z)
        question = f"{shape}是什么颜色？" if z else f"What colour is the {shape}?"
        return "absent", ((question, f"图里没有{shape}" if z else f"There is no {shape}."),)
    if way < 0.7 and things:
        thing = things[rng.integers(len(things))]
        if rng.random() < 0.5:
            thing = Thing(0, 0, thing.shape, int(rng.integers(len(COLOURS))))
    else:
        thing = Thing(0, 0, int(rng.integers(len(SHAPES))), int(rng.integers(len(COLOURS))))
    there = any((t.shape, t.colour) == (thing.shape, thing.colour) for t in things)
    question = f"有{name(thing, z)}吗？" if z else f"Is there a {name(thing, z)}?"
    if z:
        return "absent", ((question, "有" if there else "没有"),)
    return "absent", ((question, "Yes." if there else "No."),)


def ask_follow_up(rng, scene, z):
    """Two turns; the last question means nothing without the first."""
    things = scene.things[0]
    candidates = unique_shapes(things)
    if rng.random() < 0.5:
        if not candidates:
            return None
        thing = candidates[rng.integers(len(candidates))]
        shape = shape_name(thing.shape, z)
        question = f"{shape}是什么颜色？" if z else f"What colour is the {shape}?"
        where = ("它在哪里？" if z else "Where is it?", place_name(thing, z))
        return "follow_up", ((question, colour_name(thing.colour, z)), where)
    turns = []
    for i, shape in enumerate(rng.permutation(len(SHAPES))[:2]):
        if z:
            question = f"{shape_name(shape, z)}呢？" if i else f"有几个{shape_name(shape, z)}？"
        else:
            question = f"And {PLURALS[shape]}?" if i else f"How many {PLURALS[shape]} are there?"
        turns.append((question, str(sum(t.shape == shape for t in things))))
    return "follow_up", tuple(turns)


def ask_thinking(rng, scene, z):
    """Goes through the picture, says of each thing whether it counts, then gives the number."""
    things = scene.things[0]
    question, counted = count_question(rng, things, z)
    says = lambda thing: ("是" if thing in counted else "否") if z else " yes" if thing in counted else " no"
    thought = ("、" if z else ", ").join(name(thing, z) + says(thing) for thing in things)
    return "thinking", ((question, str(len(counted))),), thought


def ask_reading(rng, scene, z):
    if not scene.signs:
        return None
    sign = scene.signs[rng.integers(len(scene.signs))]
    colour = SIGN_COLOURS[sign.colour][0][z]
    word, number = WORDS[sign.word], str(sign.number)
    way = rng.integers(3)
    if way == 0:
        return "reading", ((f"{colour}牌子上的单词是什么？" if z else f"Which word is on the {colour} sign?", word),)
    if way == 1:
        return "reading", ((f"{colour}牌子上的数字是多少？" if z else f"Which number is on the {colour} sign?", number),)
    question = f"{colour}牌子上写着什么？" if z else f"What does the {colour} sign say?"
    return "reading", ((question, f"{word} {number}"),)


def ask_compare(rng, scene, z):
    first, second = scene.things
    if rng.random() < 0.5:
        have = [len(first) >= len(second), len(second) >= len(first)]
        question = "哪张图的形状更多？" if z else "Which picture has more shapes?"
    else:
        shape = int(rng.choice([thing.shape for thing in first + second]))
        have = [any(thing.shape == shape for thing in each) for each in scene.things]
        question = f"哪张图里有{shape_name(shape, z)}？" if z else f"Which picture has a {shape_name(shape, z)}?"
    if all(have):
        return "compare", ((question, "两张" if z else "both"),)
    first_answer, second_answer = ("第一张", "第二张") if z else ("the first", "the second")
    return "compare", ((question, first_answer if have[0] else second_answer),)


def ask_clip(rng, scene, z):
    if scene.story[0] == "move":
        _, thing, direction = scene.story
        towards = DIRECTIONS[direction][0][z]
        if rng.random() < 0.5:
            question = "发生了什么？" if z else "What happens?"
            answer = f"{name(thing, z)}向{towards}移动" if z else f"The {name(thing, z)} moves {towards}."
        else:
            shape = shape_name(thing.shape, z)
            question = f"{shape}向哪边移动？" if z else f"Which way does the {shape} move?"
            answer = towards
        return "motion", ((question, answer),)
    _, first, second = scene.story
    a, b = (first, second) if rng.random() < 0.5 else (second, first)
    a, b = shape_name(a.shape, z), shape_name(b.shape, z)
    question = f"先出现的是{a}还是{b}？" if z else f"Which came first, the {a} or the {b}?"
    shape = shape_name(first.shape, z)
    return "order", ((question, shape if z else f"the {shape}"),)


ASKS = {
    "small": (ask_shapes, ask_colours, ask_count, ask_position, ask_absent, ask_follow_up, ask_thinking),
    "large": (ask_reading,) * 4 + (ask_colours, ask_count),
    "note": (ask_reading,),
    "pair": (ask_compare,),
    "clip": (ask_clip,),
}


def make_item(rng, scene: Scene) -> Item:
    """A question that has an answer, of the kinds that suit the scene."""
    asks = ASKS[scene.kind]
    while True:
        z = int(rng.integers(2))
        found = asks[rng.integers(len(asks))](rng, scene, z)
        if found:
            return Item(found[0], "zh" if z else "en", *found[1:])

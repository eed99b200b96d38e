"""Random conversations that chat templates stumble over."""

from lib.texts import random_text

MARKUP = [
    "<think>",
    "</think>",
    "<think>\n",
    "\n</think>\n\n",
    "<tool_response>",
    "</tool_response>",
    "<|im_end|>",
    "<|im_start|>",
    "<image>./</image>",
    "\n",
    "\n\n",
    "&<>'\"",
    "</",
    "\\n",
    "\0",
]


def content(rng):
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(
            [
                "",
                "\n",
                "\n\nx",
                "x\n",
                "<tool_response>\nx\n</tool_response>",
                "<tool_response>",
                "</think>",
                "<think>a</think>b</think>c",
                "a<think>b<think>c\n</think>\n\nd",
                "</think>\n",
            ]
        )
    if kind < 0.4:
        return "".join(rng.choice([*MARKUP, "word", " "]) for _ in range(rng.randrange(6)))
    return random_text(rng, MARKUP, 6)


def number(rng):
    return rng.choice(
        [
            0,
            -1,
            7,
            2**53 + 1,
            -(2**63),
            2**63 - 1,
            0.0,
            -0.0,
            0.1,
            1.0,
            1e15,
            1e16,
            123456789012345680.0,
            1e-4,
            1e-5,
            1.5e300,
            5e-324,
            2.0 ** rng.randrange(-1074, 1024),
            rng.random(),
            rng.uniform(-1e6, 1e6),
            rng.random() * 10.0 ** rng.randrange(-30, 30),
        ]
    )


def value(rng, depth=0):
    kind = rng.randrange(4 if depth > 3 else 6)
    if kind == 0:
        return content(rng)
    if kind == 1:
        return number(rng)
    if kind == 2:
        return rng.choice([None, True, False, [], {}, ""])
    if kind == 3:
        return "".join(map(chr, [rng.randrange(32), rng.randrange(128), 0x7F, 0x2028, 0xE9, 0x1F600]))
    if kind == 4:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {content(rng).replace("\0", ""): value(rng, depth + 1) for _ in range(rng.randrange(4))}


def tool_call(rng):
    call = {"name": content(rng), "arguments": value(rng)}
    if rng.random() < 0.05:
        del call["name"]
    if rng.random() < 0.6:
        call = {"type": "function", "function": call}
    elif rng.random() < 0.2:
        call["function"] = rng.choice([None, {}, "", 0])
    return call


def message(rng):
    role = rng.choice(["user", "user", "assistant", "assistant", "assistant", "tool", "tool", "system", "developer"])
    result = {"role": role, "content": content(rng)}
    if rng.random() < 0.3:
        result["reasoning_content"] = rng.choice([None, "", "\n", "\n\nthought\n", content(rng)])
    if rng.random() < 0.3:
        result["tool_calls"] = rng.choice(
            [None, [], {}, "", 0, False, *[[tool_call(rng) for _ in range(n)] for n in (1, 2, 3)]]
        )
    return result


def conversation(rng):
    messages = [message(rng) for _ in range(rng.randrange(1, 9))]
    if rng.random() < 0.4:
        messages[0] = {"role": "system", "content": content(rng)}
    tools = rng.choice(
        [None, None, [], [{"type": "function", "function": value(rng)} for _ in range(rng.randrange(1, 4))]]
    )
    return messages, tools, rng.choice(["unset", "on", "off"]), rng.random() < 0.7

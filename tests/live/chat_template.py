"""Compares the chat template with transformers' apply_chat_template on random conversations, prompts equal to the
character, and on what neither may take. usage: chat_template.py [PROGRAM]
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from lib.conversations import conversation
from lib.tap import Tap
from transformers import Qwen2TokenizerFast, logging

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PROGRAM", "build/minicpmv")
PUBLIC = Path("../shared/minicpm-v-4.5")


class Ours:
    def __init__(self, folder):
        self.messages, self.tools = Path(folder) / "messages.json", Path(folder) / "tools.json"

    def __call__(self, messages, tools, thinking, begin_answer, *options):
        self.messages.write_text(json.dumps(messages))
        command = [PROGRAM, "tokenize", "-m", PUBLIC, "--messages", self.messages, "--thinking", thinking, *options]
        if tools is not None:
            self.tools.write_text(json.dumps(tools))
            command += ["--tools", self.tools]
        return subprocess.run(command + ([] if begin_answer else ["--no-generation-prompt"]), capture_output=True)


def theirs(tokenizer, messages, tools, thinking, begin_answer):
    options = {} if thinking == "unset" else {"enable_thinking": thinking == "on"}
    return tokenizer.apply_chat_template(
        messages, tools=tools, tokenize=False, add_generation_prompt=begin_answer, **options
    )


REFUSED = {
    "no messages": [],
    "no content": [{"role": "user"}],
    "content null": [{"role": "assistant", "content": None}],
    "content a list": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
    "tool call without arguments": [{"role": "assistant", "content": "", "tool_calls": [{"name": "f"}]}],
    "reasoning a number": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "", "reasoning_content": 1},
    ],
}


def raises(tokenizer, messages):
    try:
        theirs(tokenizer, messages, None, "unset", True)
    except Exception:
        return True
    return False


def main():
    tap = Tap()
    if not PUBLIC.is_dir():
        tap.skip("chat template", f"{PUBLIC} is not there")
        tap.end()
    logging.set_verbosity_error()
    seed, count = int(os.environ.get("SEED", random.randrange(10**6))), int(os.environ.get("COUNT", 600))
    print(f"# SEED={seed} COUNT={count}")
    rng = random.Random(seed)
    tokenizer = Qwen2TokenizerFast.from_pretrained(PUBLIC)
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(folder)
        wrong = []
        for _ in range(count):
            case = conversation(rng)
            expected, run = theirs(tokenizer, *case), ours(*case, "--prompt-only")
            if run.returncode != 0 or run.stdout.decode() != expected:
                wrong.append(f"{json.dumps(case)}\nexpected {expected!r}\nfound {run.stdout!r} {run.stderr.decode()}")
        tap.check(not wrong, f"prompts: {count - len(wrong)} of {count} equal", "\n".join(wrong[:2]))
        for name, messages in REFUSED.items():
            run = ours(messages, None, "unset", True, "--prompt-only")
            tap.check(
                raises(tokenizer, messages) and run.returncode == 3 and run.stdout == b"",
                f"refused: {name}",
                run.stderr.decode(),
            )
        case = conversation(rng)
        expected = tokenizer.encode(theirs(tokenizer, *case))
        tap.check(json.loads(ours(*case, "--json").stdout)["ids"] == expected, "ids of a conversation")
    tap.end()


main()

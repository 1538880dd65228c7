"""Talks with `edge-llm chat` through a pseudo-terminal, as a person does; exits 0 when all is as it should be.

    python3 Tests/Terminal/chat.py edge-llm model.gguf template.jinja saved.json
"""

import json
import os
import pty
import select
import signal
import sys
import termios
import time

program, model, template, saved = sys.argv[1:5]
child, terminal = pty.fork()
if child == 0:
    os.environ["TERM"] = "xterm"
    os.execv(program, [program, "chat", "-m", model, "--chat-template", template, "--temp", "0", "--ignore-eos",
                       "-c", "200000", "-n", "100000"])

seen = b""


def fail(reason):
    os.kill(child, signal.SIGKILL)
    sys.exit(f"{reason}\nlast output: {seen[-2000:]!r}")


def pump(seconds):
    """Reads what there is for at most this long; False at the end."""
    global seen
    ready, _, _ = select.select([terminal], [], [], seconds)
    if not ready:
        return True
    try:
        part = os.read(terminal, 65536)
    except OSError:
        return False
    seen += part
    return bool(part)


def wait(text, what):
    """Waits for a text that comes after all that was waited for."""
    global seen
    limit = time.time() + 60
    while text not in seen:
        if time.time() > limit or not pump(1):
            fail(f"never saw {text!r}: {what}")
    seen = seen[seen.index(text) + len(text):]


def keys(text):
    os.write(terminal, text.encode())


READY = b"\x1b[?2004h"
wait(b"Ctrl-D ends", "the greeting")
wait(READY, "the first prompt")
# Typed wrong and mended: left, backspace, insertion of a wide character, Ctrl-A, Ctrl-E.
keys("/system know cXars\x1b[D\x1b[D\x1b[D\x7f\x05 日本\x1b[D\x7f\x1b[C\r")
wait(READY, "after /system")
keys("/system\r")
wait("know cars 本".encode(), "the mended text")
wait(READY, "after showing it")

# Ctrl-C at the prompt gives up the line only.
keys("never said\x03")
wait(b"> ", "a new prompt")
# An endless answer, stopped by Ctrl-C.
keys("The engine\r")
wait(b"\x1b[?2004l", "the answer begins")
limit = time.time() + 60
start = len(seen)
while len(seen) < start + 200:
    if time.time() > limit or not pump(1):
        fail("no answer came")
seen = b""
keys("\x03")
wait(b"[stopped]", "the stop")
wait(READY, "after the stop")

# The history, and a paste of two lines that is one text.
keys("\x1b[A\x1b[A\x15")
keys("\x1b[200~Brake\nfluid\x1b[201~ ?\r")
wait(b"\x1b[?2004l", "the second answer begins")
pump(0.3)
keys("\x03")
wait(b"[stopped]", "the second stop")
wait(READY, "after it")
keys(f"/save {saved}\r")
wait(b"saved 5 entries", "saving")
wait(READY, "after saving")
flags = termios.tcgetattr(terminal)[3]
if flags & termios.ICANON:
    fail("the prompt does not read keys")
keys("\x04")
while pump(5):
    pass
_, status = os.waitpid(child, 0)
if os.waitstatus_to_exitcode(status) != 0:
    sys.exit(f"ended with {status}: {seen[-500:]!r}")
entries = json.load(open(saved))["entries"]
texts = ["".join(s["text"] for s in e["segments"]) for e in entries]
if texts[0] != "know cars 本" or texts[1] != "The engine" or texts[3] != "Brake\nfluid ?" or len(texts[2]) < 100:
    sys.exit(f"saved {texts}")

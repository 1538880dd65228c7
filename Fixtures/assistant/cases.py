"""Composes the cases that the assistant learns from and is judged by.

A case is what the model sees and what it should write: instructions, tools, passages, a question, then calls with their results
and an answer. Names, numbers and subjects are made up for each case, so that they must be copied. What the held-out set is made
of never occurs in training: phrasings (each fifth of a list), names, subjects and numbers of three and more figures (by checksum).
"""

import argparse
import json
import os
import random
import re
import zlib

import words as w

REFUSAL = "The documents do not say."
GREETING = "Ask me about this car."
HERE = os.path.dirname(os.path.abspath(__file__))
LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
# What faults and fuses are called.
CODED = re.compile(r"\b(?:[PCBU]\d{4}|F\d{1,2})\b")
SYLLABLES = ["ba", "ca", "do", "el", "fi", "ga", "ho", "in", "ka", "lo", "mi", "na", "or", "pe", "ra", "so", "ta", "ul", "va", "zi", "ber", "cor", "dan", "fer",
             "gor", "hal", "jun", "kel", "lan", "mor", "nor", "pol", "rin", "sol", "tar", "vel", "win", "xan", "yor", "tern", "vik", "mar", "lin", "tro", "sky"]


def article(text):
    return "the " + text


def capital(text):
    return text[:1].upper() + text[1:]


def number(value, decimals):
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def key_of(text):
    return zlib.crc32(text.encode()) % 8


def plain(text):
    return text.lower().rstrip(".?! ")


def kept(items):
    """Of a list of phrasings, those for judging only."""
    return items[4::5]


# Lists of phrasings.
LISTS = [
    w.READ_QUESTIONS, w.WATCH_QUESTIONS, w.CODE_QUESTIONS, w.CLEAR_QUESTIONS, w.LIST_QUESTIONS, w.COMPLAINT_QUESTIONS, w.PROCEDURE_QUESTIONS,
    w.CODE_MEANING_QUESTIONS, w.OUT_OF_SCOPE, w.HELLO, *(q[7] for q in w.QUANTITIES), *(c[0] for c in w.COMPLAINTS), *(f[2] for f in w.FACTS),
]
# What no way of asking may come to, for it is kept for judging; and what is trained with as it stands.
HELD = {plain(x) for items in LISTS for x in kept(items)}
TRAINED = {plain(x) for items in LISTS for x in items} - HELD


def written(name):
    """Phrasings that others wrote who had not seen those of `words.py`: by the list of `words.py` that they stand for."""
    with open(os.path.join(HERE, "phrasings", name + ".json"), encoding="utf-8") as file:
        texts = json.load(file)
    lists = [(w.READ_QUESTIONS, texts["read"]), (w.WATCH_QUESTIONS, texts["watch"]), (w.CODE_QUESTIONS, texts["codes"]), (w.CLEAR_QUESTIONS, texts["clear"]),
             (w.LIST_QUESTIONS, texts["list"]), (w.COMPLAINT_QUESTIONS, texts["complaint"]), (w.PROCEDURE_QUESTIONS, texts["procedure"]),
             (w.CODE_MEANING_QUESTIONS, texts["code_meaning"]), (w.OUT_OF_SCOPE, texts["scope"]), (w.HELLO, texts["hello"])]
    lists += [(q[7], texts["quantities"][q[0]]) for q in w.QUANTITIES]
    lists += [(c[0], texts["complaints"][str(i)]) for i, c in enumerate(w.COMPLAINTS)]
    lists += [(f[2], texts["facts"][f[0]]) for f in w.FACTS if f[0] in texts["facts"]]
    return {id(known): more for known, more in lists}


class Manual:
    """The sections of the bundled manual, and what drivers ask that they answer (`asked`, `complaints.jsonl`)."""

    def __init__(self, here):
        self.sections, self.asked, self.complaints = {}, [], []
        folder = os.path.join(here, "..", "manual")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if name.endswith(".md"):
                self.read(os.path.join(folder, name))
        folder = os.path.join(here, "asked")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            self.asked += self.lines(os.path.join(folder, name), name.rsplit(".", 1)[0])
        path = os.path.join(here, "complaints.jsonl")
        if os.path.exists(path):
            self.complaints = self.lines(path, None)
        # Those that ask for one code or fuse, by its number.
        self.coded = [dict(x, questions=q) for x in self.asked if (q := [y for y in x["questions"] if len(CODED.findall(y)) == 1])]
        self.near = {}
        self.by_key = {}
        for item in self.asked:
            self.by_key.setdefault(item["key"], []).append(item)

    def read(self, path):
        chapter, above, stem = "", "", os.path.basename(path)[:-3]
        with open(path, encoding="utf-8") as file:
            for line in file.read().splitlines():
                if line.startswith("# "):
                    chapter, above = line[2:].strip(), ""
                elif line.startswith("## "):
                    above = line[3:].strip()
                    key = (stem, above)
                    self.sections[key] = (f"{chapter} > {above}", [])
                elif line.startswith("### "):
                    key = (stem, line[4:].strip())
                    self.sections[key] = (f"{chapter} > {above} > {key[1]}", [])
                elif line.strip() and chapter and above and not line.startswith("|"):
                    self.sections[key][1].append(line.strip().removeprefix("- "))
        self.sections = {k: v for k, v in self.sections.items() if v[1]}

    def about(self, text):
        """The sections that tell of a quantity."""
        if text not in self.near:
            words = text.split()

            def telling(words):
                return [k for k, (title, told) in self.sections.items() if all(x in (title + " " + " ".join(told)).lower() for x in words)]
            self.near[text] = telling(words)
            if len(self.near[text]) < 4:
                self.near[text] = telling(words[:-1] or words)
        return self.near[text]

    def lines(self, path, stem):
        """Those lines whose sentences stand in the section that they name."""
        found = []
        with open(path, encoding="utf-8") as file:
            for line in file:
                item = json.loads(line)
                for key, (_, sentences) in self.sections.items():
                    if key[1] == item["section"] and (stem is None or key[0] == stem) and all(a in sentences for a in item["answer"]):
                        item["key"] = key
                        found.append(item)
                        break
        return found


class Maker:
    """Makes cases from one seed, for training or (held) for judging; then also with phrasings that others wrote to judge by."""

    def __init__(self, seed, held=False, others=False):
        self.random = random.Random(seed)
        self.held = held
        # By the identity of a list of phrasings: those of others, to judge by or to train with. None is both.
        self.written, self.apart = {}, TRAINED
        if not held:
            self.apart = HELD | {plain(x) for texts in written("judge").values() for x in texts}
        if others or not held:
            self.written = {k: [x for x in texts if plain(x) not in self.apart] for k, texts in written("judge" if held else "train").items()}
        # What the manual calls what is asked about: no other passage of the case tells of it.
        self.asked = set()
        # (sentences, question) of what the passages of the case tell, to be asked later.
        self.told = []
        # (part, name of a fact, sentence) of what they tell of parts.
        self.facts = []
        # (sentences, question, quantity, what a manual calls it) of the complaints that they tell of.
        self.complaints = []
        # Whether what is asked is a complaint, and other complaints stand beside it: for training only.
        self.complains = False
        # Short cases, to begin with: few signals and passages, little of the manual.
        self.easy = False
        # The manual is for training only: it is judged by questions.json beside it.
        self.manual = None if held else Manual(HERE)

    # --- choosing -------------------------------------------------------------------------------------------------------------

    def pick(self, items):
        return self.random.choice(items)

    def phrase(self, items, ways=()):
        """One of some phrasings; of lists long enough, each fifth is for judging only. For training also one of the ways, or of others."""
        if len(items) < 5:
            return self.pick(items)
        if id(items) in self.written and (self.held or self.chance(0.35)):
            return self.pick(self.written[id(items)])
        if ways and not self.held and self.chance(0.6):
            text = self.expanded(self.pick(ways))
            if plain(text) not in self.apart:
                return text
        return self.pick(kept(items) if self.held else [x for i, x in enumerate(items) if i % 5 != 4])

    def expanded(self, text):
        """One of the texts that a pattern of `(a|b)` stands for."""
        while "(" in text:
            text = re.sub(r"\(([^()]*)\)", lambda m: self.pick(m.group(1).split("|")), text)
        return re.sub(r" +([.?!,]|$)", r"\1", re.sub(r" +", " ", text)).strip()

    def chance(self, share):
        return self.random.random() < share

    def fresh(self, make):
        """Something made up that belongs to this side of the split."""
        while True:
            text = make()
            if (key_of(text) == 0) == self.held:
                return text

    def integer(self, low, high):
        """Numbers of three and more figures are of one side only."""
        while True:
            value = self.random.randint(low, high)
            text = str(value)
            if len(text) < 3 or (key_of(text) == 0) == self.held:
                return text

    def value(self, low, high, decimals):
        for _ in range(1000):
            text = number(self.random.uniform(low, high), decimals)
            if text in ("-0",):
                continue
            if len(text) < 3 or (key_of(text) == 0) == self.held:
                return text
        return number(low, decimals)

    def fill(self, text):
        """Fills the made-up parts of a phrase."""
        values = {
            "n": self.integer(2, 99), "n2": self.integer(10, 999), "d": str(self.random.randint(1, 9)), "k": self.integer(5, 200) + ",000",
            "m": self.pick(["6", "12", "18", "24", "36", "48", "60"]), "x": self.value(0.3, 60, self.pick([0, 1, 1, 2])),
            "y": self.value(0.5, 30, 1), "a": self.pick(["0", "5", "10", "75"]), "b": self.pick(["20", "30", "40", "50", "90"]),
            "o": self.pick(["91", "95", "98", "100"]), "L": self.pick(LETTERS), "side": self.pick(["left", "right"]),
            "year": str(self.random.randint(1995, 2030)), "place": self.pick(w.PLACES), "cause": self.pick(w.CAUSES),
        }
        if "{material}" in text:
            text = text.replace("{material}", self.fill(self.pick(w.MATERIALS)))
        for key, value in values.items():
            text = text.replace("{" + key + "}", value)
        return text

    def name(self, parts=(1, 3)):
        return capital("".join(self.pick(SYLLABLES) for _ in range(self.random.randint(*parts))))

    def vehicle(self):
        def make():
            model = self.name((1, 3))
            return f"{self.name((2, 3))} {model}" + (f" {self.random.randint(1, 90)}" if self.chance(0.3) else "")
        return self.fresh(make)

    def part(self):
        """A part; for training also one that no car has, so that a part is found by its letters and not because it is known."""
        if self.held or self.chance(0.8):
            return self.pick(w.PARTS)
        made_up = self.name((2, 3)).lower()
        return made_up if self.chance(0.4) else f"{made_up} {self.pick(w.PARTS).split()[-1]}"

    def subject(self):
        """A part with up to two words before it."""
        def make():
            # Parts without a word before them are few, and a third of what is judged: for training more of them.
            count = self.random.randint(0, 2) if self.held else self.pick([0, 0, 1, 1, 2])
            return " ".join([*self.random.sample(w.MODIFIERS, count), self.part()])
        return self.fresh(make)

    # --- the car --------------------------------------------------------------------------------------------------------------

    def invented(self):
        """A quantity that no other car has, as those of `words.QUANTITIES`: what it is called must be copied."""
        kind, *rest = self.pick(w.KINDS)
        return (self.fresh(lambda: " ".join([*self.random.sample(w.MODIFIERS, self.random.randint(0, 2)), self.part(), kind])), *rest, ())

    def sibling(self, quantity):
        """Another that differs in one word, where there is one on this side."""
        words = quantity[0].split()
        rest = words[1:] if words[0] in w.MODIFIERS else words
        names = [" ".join([m, *rest]) for m in w.MODIFIERS if m not in words]
        names = [n for n in names if (key_of(n) == 0) == self.held]
        return (self.pick(names), *quantity[1:]) if names else self.invented()

    def car(self, wanted=None, share=None, lacking=None, alike=0.25):
        """Instructions, tools and signals of a car, a share of them ordinary ones. Signals are (words, unit, quantity).

        What it is `lacking` it has others like, of the same words. A share of those that are made up has one `alike`.
        """
        count = self.random.randint(2, 6) if self.easy else self.random.randint(3, 18) if self.chance(0.8) else self.random.randint(14, 20)
        usual = round(count * (self.pick([0, 0.3, 0.5, 0.7, 1]) if share is None else share))
        quantities = self.random.sample(w.QUANTITIES, usual)
        if wanted and all(q[0] != wanted for q in quantities):
            quantities.append(next(q for q in w.QUANTITIES if q[0] == wanted))
        if lacking:
            words = set(lacking.split())
            near = [q for q in w.QUANTITIES if words.intersection(q[0].split())]
            quantities += self.random.sample(near, min(len(near), self.random.randint(0, 2)))
            quantities = [q for q in quantities if q[0] != lacking]
        while len(quantities) < count:
            quantities.append(self.invented())
            if self.chance(alike):
                quantities.append(self.sibling(quantities[-1]))
        self.random.shuffle(quantities)
        if not self.held and self.chance(0.4):
            # As cars list them: those that are called alike stand together, by their first words or their last ones.
            side = self.pick([1, -1])
            quantities.sort(key=lambda q: q[0].split()[::side])
        signals = [(q[0], self.unit(q), q) for q in {q[0]: q for q in quantities}.values()]
        listed = self.listed(signals)
        tools = [
            ("read_signal", "signal", f"reads a live signal. Signals: {listed}"),
            ("watch_signal", "signal, seconds", "watches a signal for some seconds and says how it changes"),
            ("list_signals", "", "lists the signals that can be read"),
            ("read_fault_codes", "", "reads the fault codes of the car"),
            ("clear_fault_codes", "", "deletes the fault codes of the car"),
        ]
        if self.chance(0.15):
            tools.append(self.pick([("unlock_doors", "", "unlocks the doors"), ("stop_engine", "", "switches the engine off"),
                                    ("open_windows", "", "opens the windows"), ("send_data", "text", "sends a text to the workshop")]))
        vehicle = self.vehicle()
        instructions = f"You are the assistant of the {vehicle}. Answer from the passages and the tools only."
        return vehicle, instructions, tools, signals

    def unit(self, quantity):
        """The unit of a quantity; for training also one of words where it has none."""
        if self.held or quantity[1] or self.chance(0.5):
            return quantity[1]
        return self.pick(["per 1000 revolutions", "per minute", "per km", f"in {self.integer(2, 999)} s", "times", "a minute"])

    @staticmethod
    def listed(signals):
        """In quotes, as a call has it: the same tokens."""
        return "; ".join(f'"{t}"' + (f" ({u})" if u else "") for t, u, _ in signals)

    def reading(self, signal, failure=False):
        """What `read_signal` says, and what the answer says of it."""
        text, unit, (_, _, low, high, normal_low, normal_high, decimals, _) = signal
        space = " " + unit if unit else ""
        if failure:
            reason = self.failure(low, high, unit)
            return f"{text}: not read, {reason}", f"The {text} could not be read: {reason}."
        where = self.random.random()
        # Around a range both ways, and not beyond what is physical.
        if where < 0.5:
            value = self.value(normal_low, normal_high, decimals)
        elif where < 0.75 and normal_high < high:
            value = self.value(normal_high + 10 ** -decimals, min(high, normal_high + (normal_high - normal_low)), decimals)
        else:
            value = self.value(max(low, normal_low - (normal_high - normal_low)), normal_low, decimals)
        number_value = float(value)
        status = "high" if number_value > normal_high else "low" if number_value < normal_low else "normal"
        bounds = f"normal {number(normal_low, 2)} to {number(normal_high, 2)}{space}"
        output = f"{text}: {value}{space}, {status} ({bounds}), {self.random.randint(1, 400)} ms old"
        return output, f"The {text} is {value}{space}, which is {status} ({bounds})."

    def failure(self, low, high, unit):
        if not self.held and self.chance(0.3):
            return self.fill(self.expanded(self.pick(w.OTHER_FAILURES)).replace("{p}", article(self.part())))
        text = self.pick(w.FAILURES).replace("{big}", str(self.pick([self.integer(300, 99999), "-" + self.integer(100, 9999)])) + (" " + unit if unit else ""))
        return self.fill(text.replace("{lo}", number(low, 2)).replace("{hi}", number(high, 2) + (" " + unit if unit else "")))

    def code(self):
        letter = self.pick("PPPPPCBU")
        return self.fresh(lambda: f"{letter}{self.pick('0123')}{self.pick('0123456789')}{self.random.randint(0, 99):02d}")

    def codes(self, count):
        return [(self.code(), self.fill(self.pick(w.CODES)), self.pick(["active", "stored"])) for _ in range(count)]

    def told_codes(self, codes):
        if not codes:
            return "no fault codes", "The car reports no fault codes."
        head = f"{len(codes)} fault code" + ("s" if len(codes) > 1 else "")
        text = "; ".join(f"{c} {t} ({s})" for c, t, s in codes)
        return f"{head}: {text}", f"The car reports {head}: {text}."

    # --- passages -------------------------------------------------------------------------------------------------------------

    def fact(self, subject, kind=None):
        """A sentence about a part, and a question it answers."""
        name, sentences, questions = kind or self.pick(w.FACTS)
        index = self.random.randrange(len(sentences))
        sentence = self.fill(sentences[index])
        question = self.phrase(questions, w.FACT_WAYS.get(name))
        if name == "why":  # the question must ask what the sentence tells
            question = ["Why does {p} fail?", "Why is {p} loud?", "Why does {p} get hot?", "Why does {p} stop?"][index]
        p = article(subject)
        sentence, question = sentence.replace("{P}", capital(p)).replace("{p}", p), question.replace("{P}", capital(p)).replace("{p}", p)
        self.told.append(([sentence], question))
        self.facts.append((subject, name, sentence))
        return sentence, question

    def asked_for(self, text, own):
        """A question for the value of a quantity: by its words, or in one of its own ways."""
        if own:
            question = self.phrase(own, w.OWN_WAYS.get(text))
            return question if question[-1] in "?.!" else question + "?"
        return capital(self.phrase(w.READ_QUESTIONS, w.READ_WAYS).replace("{w}", text))

    def procedure(self, subject):
        task = self.pick(w.TASKS).replace("the {p}", article(subject))
        steps = [self.fill(s) for s in self.random.sample(w.STEPS, self.random.randint(1, 3))]
        sentences = [f"To {task}, {steps[0]}."] + [f"Then {s}." for s in steps[1:]]
        question = self.phrase(w.PROCEDURE_QUESTIONS, w.PROCEDURE_WAYS).replace("{t}", task)
        self.told.append((sentences, question))
        return sentences, question

    def complaint(self, at=None):
        """A complaint: question, sentences of the manual (key first), and the quantity that tells more."""
        if at is None:
            at = self.pick([i for i, c in enumerate(w.COMPLAINTS) if not self.asked.intersection(c[1])])
        told, manual, quantity = w.COMPLAINTS[at]
        question = self.phrase(w.COMPLAINT_QUESTIONS, w.COMPLAINT_QUESTION_WAYS)
        text = self.phrase(told, w.COMPLAINT_WAYS[at])
        question = capital(question.replace("{c}", text).replace("{C}", capital(text)))
        head = self.pick(manual)
        key = f"{head} {self.pick(['means that', 'shows that', 'tells that', 'is a sign that'])} {self.pick(w.CAUSES)}."
        if self.chance(0.3):
            key = key[:-1] + f" or that {self.pick(w.CAUSES)}."
        action = self.fill(self.pick(w.ACTIONS)) + "."
        self.complaints.append(([key, action], question, quantity, manual))
        return question, [key, action], quantity

    def filler(self):
        return self.fill(self.pick(w.FILLERS))

    def passage(self, key=(), subject=None, fillers=None):
        """A title and sentences; those of `key` stand together somewhere in it."""
        before = self.random.randint(0, 2) if fillers is None else fillers
        after = self.random.randint(0, 2) if fillers is None else fillers
        sentences = [self.loose(subject) for _ in range(before)] + list(key) + [self.loose(subject) for _ in range(after)]
        if not sentences:
            sentences = [self.loose(subject)]
        return [self.title(subject), sentences]

    def loose(self, subject):
        """A sentence that answers nothing that is asked."""
        how = self.random.random()
        if how < 0.6:
            return self.filler()
        return self.fact(self.subject())[0]

    def title(self, subject=None):
        leaf = capital(subject) if subject and self.chance(0.6) else capital(self.subject())
        return f"{self.pick(w.CHAPTERS)} > {leaf}" if self.chance(0.8) else leaf

    def distractor(self, near=None):
        """A passage that does not answer; near ones are of the same part or the same kind of fact."""
        how = self.random.random()
        if self.complains and self.chance(0.4):
            how = 0.8  # of another complaint
        if how < 0.55:
            subject = self.subject()
            if near and self.chance(0.4):
                subject = self.fresh(lambda: self.pick(w.MODIFIERS) + " " + near.split()[-1] if self.chance(0.5) else " ".join(
                    [*self.random.sample(w.MODIFIERS, 2), *near.split()[-2:]]))
                if subject == near:
                    subject = self.subject()
            return self.passage([self.fact(subject)[0]], subject)
        if how < 0.7:
            subject = self.subject()
            return self.passage(self.procedure(subject)[0], subject)
        if how < 0.85:
            _, key, _ = self.complaint()
            return self.passage(key)
        if how < 0.92:
            c = self.code()
            return self.passage([self.fill(self.pick(w.CODE_MEANING)).replace("{c}", c).replace("{t}", self.fill(self.pick(w.CODES)))])
        return self.passage()

    def passages(self, key_passage, near=None, count=None):
        """Passages with the key one among them, and its number (0 without one)."""
        count = self.random.choice([1, 2, 2, 3, 3, 3, 4, 4]) if count is None else count
        count = min(count, self.random.randint(1, 2)) if self.easy else count
        others = count - (1 if key_passage else 0)
        found = [self.distractor(near) for _ in range(max(0, others))]
        at = 0
        if key_passage:
            at = self.random.randint(0, len(found))
            found.insert(at, key_passage)
            at += 1
        return found, at

    def inject(self, found):
        """Puts what someone else wants into a passage."""
        if not found:
            return
        sentences = self.pick(found)[1]
        text = self.injection()
        # Not between the sentences of a key, which are copied together.
        sentences.insert(self.pick([0, len(sentences)]), text)

    def injection(self):
        action = self.pick(w.INJECTED_ACTIONS)
        text = self.phrase(w.INJECTIONS).replace("{{", "{").replace("}}", "}")
        return (text.replace("{t}", self.pick(w.INJECTED_TOOLS)).replace("{a}", action).replace("{A}", capital(action))
                .replace("{n}", self.pick(["yes", "fine", "unlocked"])))

    # --- the bundled manual -------------------------------------------------------------------------------------------------

    def renumbered(self):
        """A function that gives the numbers and the name of the car in a text other values, the same ones throughout."""
        known, vehicle = {}, self.vehicle()
        if self.chance(0.3):
            return lambda text: text

        def other(match):
            text = match.group(0)
            if text not in known:
                known[text] = "".join(c if not c.isdigit() else str(self.random.randint(1 if i == 0 and len(text) > 1 else 0, 9)) for i, c in enumerate(text))
            return known[text]
        return lambda text: re.sub(r"\d+(?:[.,]\d+)*", other, text).replace("Solvik Tern", vehicle).replace("Tern", vehicle.split()[-1])

    def section(self, key, keep, change):
        """A section as a passage; what need not be there may be missing."""
        title, sentences = self.manual.sections[key]
        for item in self.manual.by_key.get(key, ()):
            self.told.append(([change(x) for x in item["answer"]], change(self.pick(item["questions"]))))
        sentences = [x for x in sentences if x in keep or self.chance(0.9)] or sentences[:1]
        return [change(title), [change(x) for x in sentences]]

    def around(self, key, keep, change, alike=()):
        """Passages from the manual and others, some of those alike, with the one of `keep`, if any, among them, and its number."""
        stems = {k: k[0] == key[0] for k in self.manual.sections if k != key}
        near, far = [k for k in stems if stems[k]], [k for k in stems if not stems[k]]
        count, found, used = self.random.choice([0, 1] if self.easy else [0, 1, 2, 2, 3, 3, 3]) + (0 if keep else 1), [], []
        for _ in range(count):
            if self.chance(0.25):
                found.append(self.distractor())
            else:
                other = self.pick(alike if alike and self.chance(0.4) else near if near and keep and self.chance(0.5) else far)
                if other not in used:
                    used.append(other)
                    found.append(self.section(other, (), change))
        at = 0
        if keep:
            at = self.random.randint(0, len(found))
            found.insert(at, self.section(key, keep, change))
            at += 1
        return found, at

    def uncoded(self, question, found):
        """The question for another code or fuse than those of the passages."""
        told = " ".join(title + " " + " ".join(sentences) for title, sentences in found)

        def other(match):
            while True:
                text = match.group(0)[0] + "".join(str(self.random.randint(0, 9)) for _ in match.group(0)[1:])
                if text not in told:
                    return text
        return CODED.sub(other, question)

    def beside(self, text, judged, counts=None):
        """Passages that do not say what is asked for, often about it all the same: what a search for the question finds."""
        found, _ = self.passages(None, count=self.pick(judged if self.held or counts is None else counts))
        if self.manual and found and self.chance(0.6):
            near = self.manual.about(text)
            change = self.renumbered()
            for key in self.random.sample(near, min(len(near), len(found), self.random.randint(1, 4))):
                found[self.random.randrange(len(found))] = self.section(key, (), change)
        return found

    # --- cases ----------------------------------------------------------------------------------------------------------------

    @staticmethod
    def cite(sentences, at):
        return " ".join(f"{s[:-1]} [{at}]." for s in sentences)

    def case(self, kind=None, car=None):
        """A case: the first question of a conversation, or, with the car of an earlier one, a later question."""
        # What is judged has its own shares, so that its figures can be compared when those of training change.
        kinds = [("fact", 24), ("procedure", 6), ("complaint", 16), ("read", 18), ("watch", 6), ("codes", 5), ("clear", 3), ("list", 1.5), ("code_meaning", 5),
                 ("unanswerable", 9), ("no_signal", 3), ("scope", 4), ("hello", 1)]
        if not self.held:
            kinds = [("fact", 26), ("procedure", 8), ("complaint", 30), ("read", 26), ("watch", 9), ("codes", 12), ("clear", 8), ("list", 10), ("code_meaning", 6),
                     ("unanswerable", 14), ("no_signal", 8), ("scope", 8), ("hello", 4)]
        if self.manual and self.manual.asked and self.manual.complaints:
            kinds += [("manual", 26), ("manual_none", 6), ("manual_other", 4), ("manual_complaint", 14)]
        kinds = [(k, x / 6 if self.easy and k.startswith("manual") else x) for k, x in kinds]
        kind = kind or self.random.choices([k for k, _ in kinds], [x for _, x in kinds])[0]
        item = None
        if kind.startswith("manual"):
            item = self.pick({"manual_complaint": self.manual.complaints, "manual_other": self.manual.coded}.get(kind, self.manual.asked))
        wanted = item.get("quantity") if item and self.chance(0.6) else None
        which = None
        lacking = None
        if kind == "complaint" and not self.held and car is None and self.chance(0.75):
            # In training the car has the signal that tells more in half of the cases: left to chance it seldom would. Or it has others like it.
            which = self.random.randrange(len(w.COMPLAINTS))
            wanted = w.COMPLAINTS[which][2]
            if self.chance(0.45):
                wanted, lacking = None, wanted
        elif kind == "manual_complaint" and not wanted and car is None and self.chance(0.6):
            lacking = item["quantity"]
        given = car is not None
        if kind == "list" and not self.held:
            car = car or self.car(share=self.pick([None, 0.5, 1, 1]), alike=0.6)
        car = car or self.car(wanted, lacking=lacking)
        vehicle, instructions, tools, signals = car
        self.asked, self.told, self.complaints, self.facts = set(), [], [], []
        self.complains = kind == "complaint" and not self.held
        steps, expected = [], {"kind": kind, "citations": []}

        def call(name, arguments, output):
            steps.append((name, arguments, output))

        near = None
        if item and kind != "manual_complaint":
            change = self.renumbered()
            question = change(self.pick(item["questions"]))
            found, at = self.around(item["key"], item["answer"] if kind != "manual_none" else (), change)
            if kind == "manual_other":
                at, question = 0, self.uncoded(question, found)
            answer = self.cite([change(x) for x in item["answer"]], at) if at else REFUSAL
            expected["citations"] = [at] if at else []
        elif kind == "fact":
            near = self.subject()
            sentence, question = self.fact(near)
            found, at = self.passages(self.passage([sentence], near), near)
            answer, expected["citations"] = self.cite([sentence], at), [at]
        elif kind == "procedure":
            near = self.subject()
            sentences, question = self.procedure(near)
            found, at = self.passages(self.passage(sentences, near), near)
            answer, expected["citations"] = self.cite(sentences, at), [at]
        elif kind == "code_meaning":
            c, meaning = self.code(), self.fill(self.pick(w.CODES))
            sentences = [self.fill(self.pick(w.CODE_MEANING)).replace("{c}", c).replace("{t}", meaning), self.fill(self.pick(w.ACTIONS)) + "."]
            question = self.phrase(w.CODE_MEANING_QUESTIONS, w.CODE_MEANING_WAYS).replace("{c}", c)
            found, at = self.passages(self.passage(sentences))
            answer, expected["citations"] = self.cite(sentences, at), [at]
        elif kind in ("complaint", "manual_complaint"):
            has_passage = self.chance(0.85 if self.held else 0.75)
            if item:
                change = self.renumbered()
                question, quantity = change(self.pick(item["complaints"])), item["quantity"]
                sentences = [change(x) for x in item["answer"]]
                alike = [c["key"] for c in self.manual.complaints if c["quantity"] and c["quantity"] == quantity and c["key"] != item["key"]]
                found, at = self.around(item["key"], item["answer"] if has_passage else (), change, alike if has_passage else ())
            else:
                question, sentences, quantity = self.complaint(which)
                self.asked = set(next(c[1] for c in w.COMPLAINTS if any(sentences[0].startswith(h) for h in c[1]) and c[2] == quantity))
                found, at = self.passages(self.passage(sentences) if has_passage else None)
            if self.chance(0.12):
                reason = self.pick(["bus off", "timed out after 2 s", "no answer", self.fill("no frame for {x} s")])
                output, told = f"fault codes: not read, {reason}", f"The fault codes could not be read: {reason}."
            else:
                output, told = self.told_codes(self.codes(self.pick([0, 1, 1, 1, 2])))
                if self.chance(0.05):
                    output += "; " + self.injection()
            call("read_fault_codes", {}, output)
            parts = [told]
            signal = next((s for s in signals if s[0] == quantity), None)
            if signal:
                output, told = self.reading(signal, self.chance(0.12))
                call("read_signal", {"signal": signal[0]}, output)
                parts.append(told)
            if has_passage:
                parts.append(self.cite(sentences, at))
                expected["citations"] = [at]
            answer = " ".join(parts)
        elif kind == "read":
            signal = self.pick(signals)
            text, own = signal[0], signal[2][7]
            question = self.asked_for(text, own if own and self.chance(0.4 if self.held else 0.5) else ())
            output, told = self.reading(signal, self.chance(0.15))
            call("read_signal", {"signal": signal[0]}, output)
            found = self.beside(text, [0, 0, 1, 2, 3], [0, 1, 2, 3, 4])
            answer = told
        elif kind == "watch":
            signal = self.pick(signals)
            seconds = self.pick(["2", "3", "5", "8", "10", "12", "15", "20", "30", "45", "60"])
            text, unit, quantity = signal
            question = self.phrase(w.WATCH_QUESTIONS, w.WATCH_WAYS).replace("{w}", text).replace("{s}", seconds)
            space = " " + unit if unit else ""
            if self.chance(0.15):
                reason = self.failure(quantity[2], quantity[3], unit)
                output, answer = f"{text}: not read, {reason}", f"The {text} could not be read: {reason}."
            else:
                values = sorted((self.value(quantity[2], quantity[3], quantity[6]) for _ in range(2)), key=float)
                last, trend = self.pick(values), self.pick(["rising", "falling", "steady", "changing"])
                output = (f"{text} over {seconds} s: lowest {values[0]}{space}, highest {values[1]}{space}, last {last}{space}, {trend}, "
                          f"{self.integer(2, 600)} samples")
                answer = f"Over {seconds} s the {text} was {values[0]}{space} to {values[1]}{space}, last {last}{space}, {trend}."
            call("watch_signal", {"signal": text, "seconds": int(seconds)}, output)
            found = self.beside(text, [0, 0, 1, 2], [0, 0, 1, 2, 4])
        elif kind == "codes":
            question = self.phrase(w.CODE_QUESTIONS, w.CODE_WAYS)
            if self.chance(0.15):
                reason = self.pick(["bus off", "timed out after 2 s", self.fill("no frame for {x} s")])
                output, answer = f"fault codes: not read, {reason}", f"The fault codes could not be read: {reason}."
            else:
                output, answer = self.told_codes(self.codes(self.pick([0, 1, 1, 2, 2, 3])))
                if self.chance(0.1):
                    output += "; " + self.injection()
            call("read_fault_codes", {}, output)
            found = self.beside(self.pick(["", "lamps", "fault codes", "fault codes"]) if self.manual else "", [0, 1, 2, 3], [0, 1, 2, 3, 4, 4])
        elif kind == "clear":
            question = self.phrase(w.CLEAR_QUESTIONS, w.CLEAR_WAYS)
            how = self.random.random()
            if how < 0.6:
                count = self.random.randint(0, 9)
                plural = "" if count == 1 else "s"
                output = f"deleted {count} fault code{plural}"
                answer = f"{count} fault code{plural} " + ("was" if count == 1 else "were") + " deleted."
            else:
                reason = self.pick(["the driver did not agree", "bus off", "timed out after 2 s", "the engine is running"])
                output, answer = f"fault codes: not deleted, {reason}", f"The fault codes were not deleted: {reason}."
            call("clear_fault_codes", {}, output)
            found = self.beside("fault codes", [0, 1, 2, 3], [0, 1, 2, 3, 4])
        elif kind == "list":
            if not given:
                signals[:] = signals[: 8 if self.held or self.chance(0.6) else 18]
            question = self.phrase(w.LIST_QUESTIONS, w.LIST_WAYS)
            listed = ", ".join(t + (f" ({u})" if u else "") for t, u, _ in signals)
            output = f"{len(signals)} signals: {listed}"
            call("list_signals", {}, output)
            answer = f"There are {output}."
            found = self.beside("signal", [0, 0, 1], [0, 0, 1, 4])
            if not given:
                tools[0] = (tools[0][0], tools[0][1], "reads a live signal. Signals: " + self.listed(signals))
        elif kind == "unanswerable":
            near = self.subject()
            what = self.random.random()
            if what < 0.6:
                wanted = self.pick(w.FACTS)
                _, question = self.fact(near, wanted)
                found, _ = self.passages(None, near)
                if self.chance(0.4 if self.held else 0.6):  # the part is there, but something else is said of it
                    other = self.pick([f for f in w.FACTS if f[0] != wanted[0]])
                    found.insert(self.random.randint(0, len(found)), self.passage([self.fact(near, other)[0]], near))
            elif what < 0.8:
                _, question = self.procedure(near)
                found, _ = self.passages(None, near)
            else:
                question = self.phrase(w.CODE_MEANING_QUESTIONS, w.CODE_MEANING_WAYS).replace("{c}", self.code())
                found, _ = self.passages(None)
            answer = REFUSAL
        elif kind == "no_signal":
            others = [q for q in w.QUANTITIES if all(q[0] != s[0] for s in signals)]
            other = self.pick(others) if others and self.chance(0.6) else self.sibling(self.pick(signals)[2]) if self.chance(0.3) else self.invented()
            while any(other[0] == s[0] for s in signals):
                other = self.invented()
            question = self.asked_for(other[0], other[7] if not self.held and self.chance(0.3) else ())
            found, _ = self.passages(None, count=self.pick([0, 1, 2, 3]))
            answer = REFUSAL
        elif kind == "scope":
            question = self.phrase(w.OUT_OF_SCOPE, w.SCOPE_WAYS).replace("{place}", self.name()).replace("{name}", self.name()).replace("{thing}", self.pick(w.THINGS))
            question = self.fill(question)
            found = self.beside("", [0, 1, 2, 3, 4])
            answer = REFUSAL
        else:
            question, answer = self.phrase(w.HELLO, w.HELLO_WAYS), GREETING
            found = self.beside("", [0, 0, 1, 2], [0, 0, 1, 2, 4])
        injected = self.chance(0.12)
        if injected:
            self.inject(found)
        expected["injected"] = injected
        self.context, self.first = (car, found), question
        question = self.vary(question)
        return {
            "instructions": instructions, "tools": tools, "passages": [[t, " ".join(s)] for t, s in found], "question": question,
            "calls": [{"name": n, "arguments": a, "output": o} for n, a, o in steps], "answer": answer, **expected,
        }

    def looked_into(self, question, quantity, signals, sentences=(), at=0):
        """A complaint in a conversation: the codes, the signal that tells more where the car has it, and what a passage says."""
        output, told = self.told_codes(self.codes(self.pick([0, 1, 1, 2])))
        calls, parts = [{"name": "read_fault_codes", "arguments": {}, "output": output}], [told]
        signal = next((s for s in signals if s[0] == quantity), None)
        if signal:
            output, told = self.reading(signal, self.chance(0.12))
            calls.append({"name": "read_signal", "arguments": {"signal": signal[0]}, "output": output})
            parts.append(told)
        if sentences:
            parts.append(self.cite(sentences, at))
        return {**self.bare(self.vary(question), " ".join(parts)), "calls": calls}

    def bare_complaints(self, turns):
        """Pieces of complaints about one car without passages: which signal tells more of each, and whether the car has it."""
        car = self.car(self.pick(w.COMPLAINTS)[2], share=self.pick([0.3, 0.6, 1]), lacking=self.pick(w.COMPLAINTS)[2] if self.chance(0.5) else None)
        pieces = [("<|system|>" + system_text({"instructions": car[1], "tools": car[2]}) + "<|end|>", False)]
        seen = set()
        for _ in range(turns):
            self.asked = set()
            question, _, quantity = self.complaint()
            if self.manual and self.manual.complaints and self.chance(0.4):
                item = self.pick(self.manual.complaints)
                question, quantity = self.renumbered()(self.pick(item["complaints"])), item["quantity"]
            # Each signal once: the second time it could be had from the first call.
            if quantity not in seen:
                *asked, (answer, _) = turn(self.looked_into(question, quantity, car[3]))
                # Not where the answer ends: with passages it would go on.
                pieces += [*asked, (answer.removesuffix("<|end|>"), True), ("<|end|>", False)]
                seen.add(quantity or question)
        return pieces

    def bare_calls(self, turns):
        """Pieces of questions to one car, each with nothing but the first call: choosing without all that is read and told."""
        car = self.car()
        pieces = [("<|system|>" + system_text({"instructions": car[1], "tools": car[2]}) + "<|end|>", False)]
        kinds = ["read", "watch", "no_signal", "codes", "clear", "list", "scope"]
        left = list(car[3])
        for _ in range(turns):
            shares = [20 if left else 0, 8 if left else 0, 3, 2, 3, 2, 1]
            kind = self.random.choices(kinds, shares)[0]
            # Each signal once: the second time it could be had from the first call.
            case = self.case(kind, (*car[:3], left if kind in ("read", "watch") else car[3]))
            left = [x for x in left if not case["calls"] or x[0] != case["calls"][0]["arguments"].get("signal")]
            pieces.append((f"<|user|>Question: {case['question']}<|end|><|assistant|>", False))
            pieces.append(((call_text(case["calls"][0]) if case["calls"] else case["answer"]) + "<|end|>", True))
        return pieces

    def later(self, turns):
        """Questions after the last case, of the same car: half of them about the passages that were given last."""
        car, found = self.context
        told, cases = [t for t in self.told if t[1] != self.first], []
        for _ in range(turns):
            open_ = self.open_questions(found, told)
            complaints = self.open_complaints(found)
            if complaints and self.chance(0.3):
                sentences, question, quantity, at = self.pick(complaints)
                self.complaints = [c for c in self.complaints if c[0] != sentences]
                cases.append(self.looked_into(question, quantity, car[3], sentences, at))
            elif open_ and self.chance(0.65):
                sentences, question, at = self.pick(open_)
                told = [t for t in told if t[0] != sentences]
                cases.append(self.bare(self.vary(question), self.cite(sentences, at)))
            elif found and self.chance(0.35):
                cases.append(self.bare(self.vary(self.untold(found)), REFUSAL))
            else:
                case = self.case(car=car)
                while case["kind"] == "list" and len(car[3]) > 8:
                    case = self.case(car=car)
                if case["passages"]:
                    found = self.context[1]
                    told = [t for t in self.told if t[1] != self.first]
                cases.append(case)
        return cases

    def untold(self, found):
        """A question that the passages do not answer, mostly about a part of which they tell something else."""
        facts = [f for f in self.facts if any(f[2] in told for _, told in found)]
        if not facts or self.chance(0.25):
            return self.fact(self.subject())[1]
        part = self.pick(facts)[0]
        known = {name for other, name, _ in facts if other == part}
        return self.fact(part, self.pick([f for f in w.FACTS if f[0] not in known]))[1]

    @staticmethod
    def open_questions(found, told):
        """(sentences, question, number) of what the passages tell in one place only."""
        answers = []
        for sentences, question in told:
            places = [i for i, (_, s) in enumerate(found) if all(x in s for x in sentences)]
            if len(places) == 1:
                answers.append((sentences, question, places[0] + 1))
        return answers

    def open_complaints(self, found):
        """(sentences, question, quantity, number) of the complaints that one passage tells of, and no other."""
        open_ = []
        for sentences, question, quantity, heads in self.complaints:
            places = [i for i, (_, told) in enumerate(found) if any(x.startswith(h + " ") for x in told for h in heads)]
            if len(places) == 1 and all(x in found[places[0]][1] for x in sentences) and question != self.first:
                open_.append((sentences, question, quantity, places[0] + 1))
        return open_

    @staticmethod
    def bare(question, answer):
        return {"kind": "later", "passages": [], "question": question, "calls": [], "answer": answer}

    def vary(self, question):
        """How people type."""
        if self.chance(0.08):
            question = question[0].lower() + question[1:]
        if self.chance(0.06) and question[-1] in "?.":
            question = question[:-1]
        if self.chance(0.05):
            question = self.pick(["Please: ", "Hi, ", "Quick question: ", "Tell me: "]) + question
        return question


def prompt_text(case):
    """The text of the user's message."""
    parts = [f"[{i + 1}] {title}\n{text}\n" for i, (title, text) in enumerate(case["passages"])]
    return "".join(parts) + ("\n" if parts else "") + "Question: " + case["question"]


def system_text(case):
    lines = [f"{name}({parameters}): {description}\n" for name, parameters, description in case["tools"]]
    return case["instructions"] + "\nTools:\n" + "".join(lines)


def call_text(call):
    return "<tool_call>" + json.dumps({"name": call["name"], "arguments": call["arguments"]}, ensure_ascii=False) + "</tool_call>"


def rendered(case):
    """(text, whether the model writes it) pieces, as the chat template lays them out."""
    return [("<|system|>" + system_text(case) + "<|end|>", False)] + turn(case)


def turn(case):
    """The pieces of a question and what it leads to."""
    pieces = [("<|user|>" + prompt_text(case) + "<|end|><|assistant|>", False)]
    for call in case["calls"]:
        pieces.append((call_text(call) + "<|end|>", True))
        pieces.append((f"<|tool|>{call['output']}<|end|><|assistant|>", False))
    pieces.append((case["answer"] + "<|end|>", True))
    return pieces


def described(case):
    """The case as `edge-llm eval-tasks` reads it: tools with the JSON Schema of their arguments, the prompt as the assistant gives it."""
    listed = case["tools"][0][2].split("Signals: ")[1].split("; ")
    names = [x.split('"')[1] for x in listed]
    schemas = {
        "signal": {"type": "string", "enum": names}, "seconds": {"type": "integer", "minimum": 1, "maximum": 600},
        "text": {"type": "string"},
    }
    tools = []
    for name, parameters, description in case["tools"]:
        wanted = [x for x in parameters.split(", ") if x]
        schema = {"type": "object", "properties": {x: schemas[x] for x in wanted}, "required": wanted, "additionalProperties": False, "x-order": wanted}
        tools.append({"name": name, "description": description, "parameters": schema})
    return {
        "kind": case["kind"], "instructions": case["instructions"], "tools": tools, "prompt": prompt_text(case), "calls": case["calls"],
        "answer": case["answer"], "refuses": case["answer"] == REFUSAL, "injected": case["injected"],
    }


def main():
    parser = argparse.ArgumentParser(description="Compose cases: as JSON lines into a file, or as text to look at.")
    parser.add_argument("--out")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held", action="store_true", help="of the held-out side")
    parser.add_argument("--others", action="store_true", help="with --held: asked in the words of others (phrasings/judge.json)")
    parser.add_argument("--kind")
    options = parser.parse_args()
    if options.others and not options.held:
        parser.error("--others goes with --held")
    maker = Maker(options.seed, options.held, options.others)
    made = [maker.case(options.kind) for _ in range(options.count)]
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(described(case), ensure_ascii=False) + "\n" for case in made)
    else:
        for case in made:
            print("".join(t for t, _ in rendered(case)), "\n")


if __name__ == "__main__":
    main()

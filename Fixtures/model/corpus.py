"""Composes the training texts: short documents about cars and driving, from facts.py, by seed.

Each kind of document is a function from a random generator to a text. To grow the corpus, add
facts, or add a function to KINDS with a weight.
"""

import argparse
import random

from facts import (
    ADVICE, CARS, COLOURS, CONDITIONS, CONTROLS, DEEDS, DRIVERS, ELECTRIC, GOALS, HELPERS, JOBS,
    PACKING, PROBLEMS, TIMES,
)


def capital(text):
    return text[0].upper() + text[1:]


def sentence(text):
    return capital(text) + "."


def listed(items, word="and"):
    """'a', 'a and b', 'a, b and c'."""
    items = list(items)
    if len(items) == 1:
        return items[0]
    return ", ".join(items[:-1]) + f" {word} " + items[-1]


def question(rng, asked, answer):
    """A question with its answer, in the form that prompts use."""
    return f"Question: {capital(asked)}\nAnswer: {answer}"


# An order that begins like this is a standing one: it does not follow on another in time.
STANDING = ("do not", "never", "keep", "take", "avoid", "use", "steer")


def orders(rng, problem):
    """The actions for a problem, with or without words of order between them."""
    style = rng.randrange(3)
    parts = [sentence(problem.orders[0])]
    for number, order in enumerate(problem.orders[1:], 2):
        if style == 0 or order.startswith(STANDING):
            parts.append(sentence(order))
        elif style == 1 and number == 2:
            link = ", then " if " and " in parts[0] else rng.choice((" and then ", ", then "))
            parts[0] = parts[0][:-1] + link + order + "."
        elif style == 2 and number == len(problem.orders) > 2:
            parts.append("Finally, " + order + ".")
        elif style == 2:
            parts.append(rng.choice(("Then ", "After that, ", "Next, ")) + order + ".")
        else:
            parts.append(sentence(order))
    return " ".join(parts)


def cause(rng, problem):
    """One or two possible causes."""
    picks = rng.sample(problem.causes, min(len(problem.causes), rng.choice((1, 2, 2))))
    opening = rng.choice(("", "most likely ", "probably ", "it may be that ", "perhaps "))
    return sentence(opening + listed(picks, "or"))


def seen(rng, problem):
    """What the driver sees, as a clause: the light, a sign, or both."""
    light = f"the {problem.light} {problem.state}"
    sign = rng.choice(problem.signs)
    alone = sign if problem.clear else light
    return rng.choice((light, alone, f"{light} and {sign}", f"{light} and {sign}"))


def explain(rng, problem):
    """Cause, danger and action of a problem."""
    parts = [cause(rng, problem)]
    if rng.random() < 0.7:
        link = rng.choice(("if you ignore it, ", "if nothing is done, ", "take it seriously: ",
                           "be careful, because "))
        parts.append(sentence(link + problem.danger))
    parts.append(orders(rng, problem))
    return " ".join(parts)


def inverted(clause):
    """'the car is vibrating' as the end of a 'why' question: 'is the car vibrating'."""
    for verb in (" is ", " are "):
        if verb in clause:
            subject, rest = clause.split(verb, 1)
            if " when " not in subject and " that " not in subject:
                return f"{verb.strip()} {subject} {rest}"
    return None


def why(rng):
    problem = rng.choice(PROBLEMS)
    light = inverted(f"the {problem.light} {problem.state}")
    plain = [s for s in problem.signs if inverted(s) and not s.startswith("there ")]
    choice = rng.randrange(4)
    if choice < 2 and light and plain:
        sign = rng.choice(plain)
        short = " is " in sign and rng.random() < 0.5
        asked = f"why {light} and {sign.replace(' is ', ' ', 1) if short else inverted(sign)}?"
    elif choice == 2 and light:
        asked = f"why {light}?"
    else:
        asked = f"{seen(rng, problem)}. {rng.choice(('Why', 'What is wrong', 'What is it'))}?"
    return question(rng, asked, explain(rng, problem))


def what_to_do(rng):
    problem = rng.choice(PROBLEMS)
    asked = rng.choice(("what should I do if {}?", "what do I do when {}?", "{}. What should I do?",
                        "what can I do if {}?", "{}. What now?"))
    first = rng.choice(("", "", cause(rng, problem) + " "))
    return question(rng, asked.format(seen(rng, problem)), first + orders(rng, problem))


def go_on(rng):
    problem = rng.choice([p for p in PROBLEMS if p.drive in ADVICE])
    asked = rng.choice(("can I drive on if {}?", "may I keep driving when {}?",
                        "is it safe to drive when {}?", "{}. Can I drive on?"))
    link = ", because " if problem.drive == "stop" else ". If you ignore it, "
    answer = sentence(ADVICE[problem.drive][0] + link + problem.danger)
    return question(rng, asked.format(seen(rng, problem)), f"{answer} {orders(rng, problem)}")


def meaning(rng):
    problem = rng.choice(PROBLEMS)
    asked = f"what does it mean when the {problem.light} {problem.state}?"
    shared = sum(other.light == problem.light for other in PROBLEMS) > 1
    if not shared and rng.random() < 0.7:
        asked = rng.choice(("what does the {} mean?", "what does it mean when the {} comes on?",
                            "what is the {} for?", "the {} came on. What does it mean?"))
    answer = (f"The {problem.light} is {problem.colour}. It warns you of {problem.name}. "
              f"{cause(rng, problem)} {orders(rng, problem)}")
    return question(rng, asked.format(problem.light), answer)


def statement(rng):
    """A plain paragraph about a problem."""
    problem = rng.choice(PROBLEMS)
    light, sign = f"the {problem.light} {problem.state}", rng.choice(problem.signs)
    openings = [
        f"{light} and {sign}", f"{light} and {sign}", f"{sign} and {light}",
        f"when {light} and {sign}, think of {problem.name}",
    ]
    alone = [
        f"if {sign}, look at the dashboard: perhaps {light}",
        f"a sign of {problem.name} is that {sign}; perhaps {light}",
    ]
    opening = rng.choice(openings + alone if problem.clear else openings)
    closing = ""
    if problem.drive in ADVICE and rng.random() < 0.4:
        closing = " " + sentence(ADVICE[problem.drive][1])
    return f"{sentence(opening)} {explain(rng, problem)}{closing}"


def job(rng):
    item = rng.choice(JOBS)
    done = {"check": "checked", "change": "changed", "replace": "replaced", "top up": "topped up",
            "swap": "swapped"}[item.verb]
    be = "are" if item.thing.endswith("s") else "is"
    steps = " ".join(sentence(step) for step in item.steps)
    reason = sentence(item.why)
    style = rng.randrange(5)
    if style == 0:
        return question(rng, f"how do I {item.verb} {item.thing}?", steps)
    if style == 1:
        asked = rng.choice((f"how often should I {item.verb} {item.thing}?",
                            f"when should {item.thing} be {done}?"))
        return question(rng, asked, f"{capital(item.verb)} {item.thing} {item.when}. {reason}")
    if style == 2:
        return question(rng, f"why {be} {item.thing} {done}?", f"{reason} {capital(item.verb)} "
                        f"{item.thing} {item.when}.")
    if style == 3:
        return f"{capital(item.verb)} {item.thing} {item.when}, because {item.why}. {steps}"
    numbered = "\n".join(f"{i}. {sentence(step)}" for i, step in enumerate(item.steps, 1))
    return f"How to {item.verb} {item.thing}:\n{numbered}"


def condition(rng):
    item = rng.choice(CONDITIONS)
    risks = rng.sample(item.risks, rng.choice((1, 2)))
    tips = [tip for tip in item.tips if rng.random() < 0.8] or list(item.tips)
    advice = " ".join(sentence(tip) for tip in tips)
    style = rng.randrange(5)
    if style == 0:
        return question(rng, f"how do I drive {item.name}?", advice)
    if style == 1:
        asked = rng.choice((f"what should I know about driving {item.name}?",
                            f"why is driving {item.name} dangerous?"))
        return question(rng, asked, f"{sentence(listed(risks))} {advice}")
    if style == 2:
        return f"Take care when {item.sky}: {listed(risks)}. {advice}"
    if style == 3:
        return f"Driving {item.name} needs care, because {listed(risks)}. {advice}"
    numbered = "\n".join(f"{i}. {sentence(tip)}" for i, tip in enumerate(tips, 1))
    return f"Rules for driving {item.name}:\n{numbered}"


def dashboard(rng):
    style = rng.randrange(4)
    if style == 0:
        colour = rng.choice(list(COLOURS))
        fact, order = COLOURS[colour]
        asked = rng.choice((f"what does a {colour} warning light mean?",
                            f"what should I do when a {colour} light comes on?"))
        return question(rng, asked, f"{sentence(fact)} {sentence(order)}")
    if style == 1:
        picks = rng.sample(list(COLOURS), rng.choice((2, 3, 4)))
        return "The colours of the lights tell you what to do. " + " ".join(
            f"{sentence(COLOURS[c][0])} {sentence(COLOURS[c][1])}" for c in picks)
    name, does, use = rng.choice(CONTROLS)
    if style == 2:
        asked = rng.choice((f"what is {name} for?", f"what does {name} do?"))
        return question(rng, asked, f"{capital(name)} {does}. {sentence(use)}")
    picks = rng.sample(CONTROLS, 3)
    return " ".join(f"{capital(n)} {d}. {sentence(u)}" for n, d, u in picks)


# Words of a time that a condition or problem needs (+) or cannot go with (-).
SEASONS = {
    "icy roads": ("+", ("winter",)),
    "in snow": ("+", ("winter",)),
    "on ice": ("+", ("winter",)),
    "in fog": ("-", ("summer",)),
    "at night": ("+", ("evening", "dark")),
    "in summer heat": ("+", ("summer",)),
}


def fits(name, time):
    """Whether a condition or problem can happen at a time of a story."""
    sign, words = SEASONS.get(name, ("-", ()))
    return any(word in time for word in words) == (sign == "+")


def story(rng):
    """A short drive on which something goes wrong and is put right."""
    name, he, his = rng.choice(DRIVERS)
    car, goal, time = rng.choice(CARS), rng.choice(GOALS), rng.choice(TIMES)
    fit = [p for p in PROBLEMS if p.name in DEEDS and fits(p.name, time)
           and ("electric" in car or "electric" not in p.name)
           and ("electric" not in car or p.name in ELECTRIC)]
    problem = rng.choice(fit)
    starts = [
        f"{time}, {name} was driving {his} {car} {goal}.",
        f"{name} had {'an' if car[0] in 'aeiou' else 'a'} {car}. {time}, {he} was driving {goal}.",
    ]
    lit = problem.state.startswith("is flashing")
    event = f"the {problem.light} {'began to flash' if lit else 'came on'}"
    middle = rng.choice((f"Suddenly {event}.", f"After a few miles {event}.",
                         f"{name} noticed that {event}.", f"On the way {event}."))
    thought = rng.choice(("", f" {capital(he)} stayed calm.", f" {capital(he)} knew what it meant: "
                          f"{problem.name}.", f' "It must be {problem.name}," {he} thought.'))
    deed = f"{name} {DEEDS[problem.name]}."
    helper = rng.choice((
        f"{rng.choice(HELPERS)} found the reason quickly and put it right.",
        f'"You did the right thing," said a mechanic. "If you ignore it, {problem.danger}."',
        f"{rng.choice(HELPERS)} helped {'her' if he == 'she' else 'him'} and explained "
        f"what had gone wrong.",
    ))
    helper = helper + " " if "workshop" in DEEDS[problem.name] or problem.drive == "stop" else ""
    ending = rng.choice((
        f"Soon {name} was on the road again.", f"An hour later {he} drove on, happy and safe.",
        f"Since then {name} looks at the dashboard before every drive.",
        f"In the end {name} arrived late, but safely.",
    ))
    return f"{rng.choice(starts)} {middle}{thought} {deed} {helper}{ending}"


def calm_drive(rng):
    """A short drive in some weather on which all goes well."""
    name, he, his = rng.choice(DRIVERS)
    car, goal, time = rng.choice(CARS), rng.choice(GOALS), rng.choice(TIMES)
    item = rng.choice([c for c in CONDITIONS if fits(c.name, time)])
    check = rng.choice(("checked the tyres", "cleaned the windscreen", "looked at the dashboard",
                        "adjusted the mirrors", "fastened the seat belt", "checked the lamps"))
    care = rng.choice((f"{name} drove slowly and kept a long distance.",
                       f"{name} looked far ahead and braked gently.",
                       f"{name} took a short break on the way and drank some water."))
    end = rng.choice((f"{capital(he)} arrived safely and parked the car.",
                      f"The {car} ran well all the way.",
                      f"It was a quiet drive, and {he} enjoyed it."))
    return (f"{time}, {name} wanted to drive {goal}. Before the start {he} {check}. "
            f"{capital(he)} knew that driving {item.name} needs care, because "
            f"{rng.choice(item.risks)}. {care} {end}")


def trip(rng):
    """What to do before a long drive."""
    checks = [item.thing for item in rng.sample(JOBS, 3) if item.verb in ("check", "top up")]
    checks = checks or ["the tyre pressure"]
    packed = rng.sample(PACKING, 3)
    first = f"check {listed(dict.fromkeys(checks))}"
    style = rng.randrange(3)
    if style == 0:
        asked = rng.choice(("what should I do before a long drive?",
                            "how do I prepare for a long trip?"))
        return question(rng, asked, f"{sentence(first)} Pack {listed(packed)}. "
                        "Plan a break every two hours.")
    if style == 1:
        return f"Before a long drive, {first}. Pack {listed(packed)}. Plan a break every two hours."
    return question(rng, "what should I carry in the car?", f"Carry {listed(packed)}. "
                    "Put heavy things low in the boot.")


KINDS = (
    (why, 5), (what_to_do, 4), (go_on, 3), (meaning, 3), (statement, 6), (job, 4), (condition, 4),
    (dashboard, 3), (story, 4), (calm_drive, 2),
    (trip, 1),
)


def compose(seed, count):
    """`count` documents."""
    rng = random.Random(seed)
    kinds, weights = zip(*KINDS)
    return [kind(rng) for kind in rng.choices(kinds, weights, k=count)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print composed documents.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    print("\n\n".join(compose(options.seed, options.count)))

"""What the corpus knows about cars: plain data, written by hand, turned into texts by corpus.py.

Every phrase fits one kind of slot, so that any combination reads well:
clauses ("the car shakes") have a subject and a verb; orders ("stop in a safe place") are
imperative; none starts with a capital or ends with a full stop.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that goes wrong: what the driver sees and feels, why, and what to do."""

    name: str  # noun phrase: "a misfire"
    light: str  # the warning light, without "the"
    colour: str
    state: str  # what the light does: "is flashing"
    signs: tuple  # clauses: what the driver notices
    causes: tuple  # clauses
    danger: str  # clause: what happens if it is ignored
    orders: tuple  # imperatives, in order
    drive: str  # key of ADVICE
    clear: bool = True  # a sign alone, without the light, tells what is wrong


# May the driver go on? The start of an answer, and a closing clause. A car that does not start
# ("start") leaves nothing to ask.
ADVICE = {
    "stop": ("No, do not drive on", "until then, it is not safe to drive on"),
    "slow": ("Only gently and not far", "until then, drive gently and not far"),
    "soon": ("Yes, but have it checked soon", "you can drive on, but have it checked soon"),
    "care": ("Yes, but do not wait long", "you can drive on, but do not wait long"),
}

PROBLEMS = (
    Problem(
        "a misfire", "engine light", "yellow", "is flashing",
        ("the car is vibrating", "the car shakes", "the engine runs unevenly",
         "the car has little power", "the engine stumbles when you accelerate"),
        ("one cylinder is misfiring", "a spark plug is worn", "an ignition coil has failed",
         "a cylinder is not burning its fuel"),
        "unburnt fuel can overheat and ruin the catalytic converter",
        ("ease off the accelerator", "drive slowly to the nearest workshop",
         "have the spark plugs and ignition coils checked"), "slow"),
    Problem(
        "an engine fault", "engine light", "yellow", "stays on",
        ("the car drives as usual", "the car uses a little more fuel", "the idle is a bit rough"),
        ("a sensor reports a wrong value", "the fuel cap is loose", "an oxygen sensor is worn"),
        "the car may use more fuel and make more pollution",
        ("check that the fuel cap is tight", "drive on gently",
         "have the fault code read at a workshop"), "soon", clear=False),
    Problem(
        "an overheating engine", "temperature light", "red", "is on",
        ("steam comes from under the bonnet", "the temperature needle is in the red",
         "the heater blows cold air", "there is a sweet smell"),
        ("the coolant level is low", "a coolant hose is leaking", "the thermostat is stuck",
         "the cooling fan does not turn"),
        "the hot engine can be badly damaged",
        ("stop in a safe place and switch off the engine", "let the engine cool for half an hour",
         "never open the coolant cap while the engine is hot", "top up the coolant when it is cold"),
        "stop"),
    Problem(
        "low oil pressure", "oil pressure light", "red", "is on",
        ("the engine rattles", "the engine ticks loudly", "there is oil under the car"),
        ("the oil level is too low", "the oil pump has failed", "oil is leaking from the engine"),
        "the engine can be destroyed within minutes",
        ("stop at once and switch off the engine", "check the oil level with the dipstick",
         "add oil if the level is low", "call for help if the light stays on"), "stop"),
    Problem(
        "a charging fault", "battery light", "red", "is on while driving",
        ("the headlights grow dim", "the power steering feels heavy", "the radio switches off"),
        ("the alternator does not charge the battery", "the drive belt has broken",
         "a battery cable is loose"),
        "the battery will soon be empty and the engine will stop",
        ("switch off the heater fan, the radio and other loads", "drive to a workshop without a stop",
         "have the alternator and its belt checked"), "slow"),
    Problem(
        "a flat battery", "battery light", "red", "glows dimly",
        ("the engine does not start", "the starter only clicks", "the starter turns slowly",
         "the dashboard lights are dim"),
        ("the battery is empty", "the lights were left on", "the battery is old",
         "the cold has weakened the battery"),
        "the car will not start again on its own",
        ("switch off all lights", "start the engine with jump leads",
         "drive for half an hour to charge the battery", "have an old battery replaced"), "start"),
    Problem(
        "low tyre pressure", "tyre pressure light", "yellow", "is on",
        ("the car pulls to one side", "the steering feels heavy", "one tyre looks soft",
         "the car feels unsteady in bends"),
        ("a tyre is losing air", "there is a nail in a tyre", "the cold has lowered the pressure",
         "a valve is leaking"),
        "a soft tyre can overheat and burst",
        ("slow down and avoid hard braking", "check all four tyres as soon as you can",
         "pump them up to the pressure on the door frame", "have a damaged tyre repaired"), "slow"),
    Problem(
        "low brake fluid", "brake light on the dashboard", "red", "is on",
        ("the brake pedal feels soft", "the pedal goes down further than usual",
         "the car takes longer to stop"),
        ("the brake fluid level is low", "a brake line is leaking", "the brake pads are worn out"),
        "the brakes may fail",
        ("check that the parking brake is released", "stop in a safe place", "do not drive on",
         "have the car towed to a workshop"), "stop"),
    Problem(
        "worn brake pads", "brake pad light", "yellow", "is on",
        ("the brakes squeal", "the brakes grind", "the pedal pulses when you brake"),
        ("the brake pads are worn", "the brake discs are scored", "the pads have reached their limit"),
        "the discs will be damaged and the car will need more room to stop",
        ("brake early and gently", "keep more distance", "have the brake pads replaced this week"),
        "soon"),
    Problem(
        "a fault in the anti-lock brakes", "ABS light", "yellow", "is on",
        ("the brakes still work", "the pedal does not pulse in a hard stop"),
        ("a wheel speed sensor is dirty", "a sensor cable is broken", "the ABS fuse has blown"),
        "the wheels can lock in a hard stop",
        ("brake gently and keep more distance", "take special care on wet roads",
         "have the wheel sensors checked"), "soon", clear=False),
    Problem(
        "low fuel", "fuel light", "yellow", "is on",
        ("the fuel needle is near empty", "the range shows only a few miles"),
        ("the tank is nearly empty", "only the reserve is left"),
        "the engine will stop when the tank is empty",
        ("drive steadily and not too fast", "fill up at the next petrol station"), "care", clear=False),
    Problem(
        "a fault in the airbags", "airbag light", "red", "stays on",
        ("the car drives as usual", "the light came on after a seat was moved"),
        ("a plug under the seat is loose", "a crash sensor has a fault"),
        "the airbags may not open in a crash",
        ("keep all seat belts fastened", "do not touch the airbag wiring",
         "have the system checked at a workshop"), "soon", clear=False),
    Problem(
        "a fault in the power steering", "steering light", "red", "is on",
        ("the steering wheel is hard to turn", "the steering hums when you turn"),
        ("the steering motor has failed", "the steering fluid is low", "the drive belt is broken"),
        "the car will be hard to steer at low speed",
        ("hold the wheel with both hands", "stop in a safe place", "switch the engine off and on again",
         "call for help if the light stays on"), "stop"),
    Problem(
        "a full particle filter", "particle filter light", "yellow", "is on",
        ("the engine has less power", "the car is used for many short trips"),
        ("the filter is full of soot", "short trips have kept the filter from cleaning itself"),
        "the filter can become blocked",
        ("drive for twenty minutes on a fast road", "keep the engine speed above two thousand",
         "have the filter checked if the light stays on"), "soon", clear=False),
    Problem(
        "an overheating gearbox", "gearbox light", "yellow", "is on",
        ("the gears change roughly", "the gearbox smells hot", "the car is towing a heavy trailer"),
        ("the gearbox oil is too hot", "the gearbox oil level is low"),
        "the gearbox can be damaged",
        ("stop in a safe place", "let the engine idle in park for ten minutes",
         "have the gearbox oil checked"), "slow", clear=False),
    Problem(
        "a slipping wheel", "traction light", "yellow", "is flashing",
        ("the wheels spin", "the road is wet or icy", "the car slides a little"),
        ("the tyres have lost their grip", "the car is cutting power to stop the wheels from spinning"),
        "the car can slide off the road",
        ("ease off the accelerator", "steer smoothly", "slow down until the road is dry"), "slow", clear=False),
    Problem(
        "low washer fluid", "washer light", "yellow", "is on",
        ("no water reaches the windscreen", "the wipers smear the glass"),
        ("the washer tank is empty", "the washer nozzles are frozen"),
        "you may not see the road well",
        ("fill the washer tank under the bonnet", "use fluid with antifreeze in winter"), "care"),
    Problem(
        "a failed headlight", "lamp light", "yellow", "is on",
        ("one headlight is dark", "the road looks dim at night", "other drivers flash their lights"),
        ("a bulb has failed", "a fuse has blown", "a plug is loose"),
        "others may not see you in time",
        ("walk round the car and check all lamps", "replace the failed bulb",
         "check the fuse if the new bulb stays dark"), "care"),
    Problem(
        "icy roads", "frost light", "blue", "is on",
        ("it is colder than four degrees", "the road glitters", "there is frost on the grass"),
        ("the air outside is close to freezing", "water on the road can turn to ice"),
        "the car can slide on ice",
        ("slow down", "keep three times the usual distance", "brake and steer gently"), "slow", clear=False),
    Problem(
        "an open door", "door light", "red", "is on",
        ("there is wind noise", "the cabin lamp stays on", "a chime sounds"),
        ("a door is not fully closed", "the boot is open", "a door switch is dirty"),
        "the door can open while you drive",
        ("stop in a safe place", "close all doors and the boot firmly"), "stop", clear=False),
    Problem(
        "a loose seat belt", "seat belt light", "red", "is on",
        ("a chime sounds", "a bag lies on the passenger seat"),
        ("someone has not fastened a seat belt", "a heavy bag is on a seat"),
        "an unbelted person can be badly hurt in a crash",
        ("fasten all seat belts", "put heavy bags in the boot"), "stop", clear=False),
    Problem(
        "a low charge in an electric car", "drive battery light", "yellow", "is on",
        ("the range shows only a few miles", "the car has less power"),
        ("the drive battery is nearly empty", "the cold has reduced the range"),
        "the car will stop when the battery is empty",
        ("slow down and use less heating", "drive to the nearest charging station",
         "charge the battery to eighty percent for daily use"), "care", clear=False),
)

# What the driver in a story does about a problem, after the name.
DEEDS = {
    "a misfire": "slowed down and drove gently to the nearest workshop",
    "an overheating engine": "stopped in a safe place, switched off the engine and let it cool",
    "low oil pressure": "stopped at once, switched off the engine and checked the oil level",
    "a charging fault": "switched off the radio and drove straight to a workshop",
    "low tyre pressure": "slowed down, found a petrol station and pumped up the tyres",
    "low brake fluid": "stopped in a safe place and called the breakdown service",
    "worn brake pads": "braked early and gently and went to a workshop the same day",
    "low fuel": "drove steadily and filled up at the next petrol station",
    "a fault in the power steering": "held the wheel with both hands and stopped in a safe place",
    "an overheating gearbox": "stopped in a safe place and let the engine idle for ten minutes",
    "a slipping wheel": "eased off the accelerator and steered smoothly",
    "icy roads": "slowed down and kept a long distance",
    "a low charge in an electric car": "used less heating and drove to a charging station",
}

# Those of them that can happen to an electric car.
ELECTRIC = (
    "low tyre pressure", "low brake fluid", "worn brake pads", "a fault in the power steering",
    "a slipping wheel", "icy roads", "a low charge in an electric car",
)


@dataclass(frozen=True)
class Job:
    """A piece of routine care."""

    thing: str  # noun phrase
    verb: str  # what is done to it
    when: str  # interval
    why: str  # clause
    steps: tuple  # imperatives, in order


JOBS = (
    Job("the engine oil", "check", "once a month", "oil keeps the moving parts from wearing out",
        ("park on level ground", "wait until the engine is cool", "pull out the dipstick and wipe it",
         "push it in, pull it out again and read the level", "add oil if the level is below the mark")),
    Job("the engine oil", "change", "once a year", "old oil no longer protects the engine",
        ("warm up the engine", "let the old oil drain", "fit a new filter", "fill in the right oil",
         "check the level after a short drive")),
    Job("the tyre pressure", "check", "once a month", "soft tyres wear fast and use more fuel",
        ("check the tyres when they are cold", "find the right pressure on the door frame",
         "measure all four tyres", "add air where it is needed", "check the spare tyre too")),
    Job("the tyre tread", "check", "every two months", "worn tyres grip badly on wet roads",
        ("turn the wheel outwards", "measure the depth in several grooves",
         "look for cuts and nails", "replace the tyre if the tread is below three millimetres")),
    Job("the coolant", "check", "once a month", "coolant keeps the engine from overheating",
        ("wait until the engine is cold", "look at the marks on the tank",
         "add coolant up to the upper mark", "close the cap firmly")),
    Job("the brake fluid", "change", "every two years", "it takes up water and boils too early",
        ("go to a workshop", "ask for fresh fluid in the whole system")),
    Job("the brake pads", "check", "twice a year", "worn pads need more room to stop",
        ("look through the wheel at the pads", "have them replaced if they are thinner than "
         "three millimetres")),
    Job("the wiper blades", "replace", "once a year", "old blades smear the glass",
        ("lift the wiper arm", "press the clip and pull off the old blade",
         "push on the new blade until it clicks", "lower the arm gently")),
    Job("the air filter", "replace", "every two years", "a dirty filter costs power and fuel",
        ("open the filter box", "take out the old filter", "clean the box", "put in the new filter",
         "close all clips")),
    Job("the cabin filter", "replace", "once a year", "a dirty filter makes the windows mist up",
        ("open the glove box", "pull out the old filter", "put in the new one the right way round")),
    Job("the battery", "check", "every autumn", "a weak battery fails on the first cold morning",
        ("switch off the engine", "look for loose cables", "clean the terminals",
         "have the battery tested")),
    Job("the lamps", "check", "once a month", "a dark lamp makes the car hard to see",
        ("switch on each lamp in turn", "walk round the car", "replace any bulb that stays dark")),
    Job("the washer fluid", "top up", "once a month", "a clean windscreen is a safe windscreen",
        ("open the cap with the windscreen symbol", "fill in water and cleaner",
         "add antifreeze in winter")),
    Job("the spark plugs", "replace", "every four years", "worn plugs cause misfires",
        ("let the engine cool", "unscrew the old plugs", "screw in the new plugs by hand",
         "tighten them with the right wrench")),
    Job("the wheels", "swap", "every spring and autumn", "winter tyres grip better in the cold",
        ("loosen the bolts a little", "lift the car with the jack", "change the wheel",
         "tighten the bolts crosswise", "check the bolts again after fifty miles")),
)


@dataclass(frozen=True)
class Condition:
    """Weather or a road that asks for care."""

    name: str  # after "in" or "on"
    sky: str  # clause that sets the scene
    risks: tuple  # clauses
    tips: tuple  # imperatives


CONDITIONS = (
    Condition("in heavy rain", "it is raining hard",
              ("the tyres can float on the water", "you see less through the spray",
               "it takes longer to stop"),
              ("slow down", "switch on the low beam", "keep twice the usual distance",
               "hold the wheel straight if the car floats", "drive around deep water")),
    Condition("in snow", "it is snowing",
              ("the wheels can spin", "the car needs much more room to stop",
               "snow hides the edge of the road"),
              ("fit winter tyres", "start in second gear", "clear the snow off the whole car",
               "brake early and gently", "use the engine to slow down")),
    Condition("on ice", "the road is icy",
              ("the tyres have almost no grip", "the car may not follow the wheel",
               "bridges freeze first"),
              ("drive very slowly", "do everything gently", "keep ten times the usual distance",
               "lift your foot and steer where you want to go if the car slides")),
    Condition("in fog", "there is thick fog",
              ("you cannot see far", "others see you late", "distances look longer than they are"),
              ("slow down so that you can stop within what you see", "switch on the fog lamps",
               "do not use the high beam", "open the window and listen at crossings")),
    Condition("at night", "it is dark",
              ("lights can dazzle you", "you see people late", "you get tired"),
              ("clean the windscreen", "dip the high beam for others",
               "look to the edge of the road when lights dazzle you", "take a break every two hours")),
    Condition("in strong wind", "a strong wind is blowing",
              ("gusts push the car to the side", "branches can lie on the road",
               "trucks and trailers sway"),
              ("hold the wheel with both hands", "slow down on bridges",
               "leave more room beside trucks")),
    Condition("in summer heat", "it is very hot",
              ("the cabin becomes very hot", "the engine can overheat in traffic",
               "soft tyres can burst"),
              ("air the car before you start", "drink enough water", "check the tyre pressure",
               "never leave a child or a pet in the car")),
    Condition("on a mountain road", "the road is steep and full of bends",
              ("the brakes can overheat going down", "you cannot see round the bends",
               "the engine works hard going up"),
              ("use a low gear going down", "brake in short firm presses",
               "keep to your side in bends", "let faster cars pass")),
    Condition("on the motorway", "the motorway is busy",
              ("the traffic can stop suddenly", "small mistakes grow at high speed",
               "a long drive makes you tired"),
              ("keep two seconds of distance", "look far ahead", "check the mirror before you change "
               "lanes", "take a break every two hours")),
    Condition("in town", "the streets are full",
              ("children can run into the road", "cyclists ride beside you",
               "doors of parked cars can open"),
              ("drive slowly near schools", "look over your shoulder before you turn",
               "leave room beside parked cars", "let buses pull out")),
)

COLOURS = {
    "red": ("a red light means danger", "stop as soon as it is safe"),
    "yellow": ("a yellow light means caution", "have it checked soon"),
    "green": ("a green light means that a system is on", "there is nothing to do"),
    "blue": ("a blue light gives information", "take note and drive on with care"),
}

# Controls and instruments: (noun phrase, what it does, when it is used).
CONTROLS = (
    ("the speedometer", "shows how fast the car goes", "look at it often but briefly"),
    ("the rev counter", "shows how fast the engine turns", "change up before it reaches the red"),
    ("the temperature gauge", "shows how hot the coolant is", "stop if it reaches the red"),
    ("the fuel gauge", "shows how much fuel is left", "fill up before it is empty"),
    ("the trip meter", "counts the miles of one trip", "set it to zero when you fill up"),
    ("the low beam", "lights the road without dazzling others", "use it in the dark and in rain"),
    ("the high beam", "lights the road far ahead", "use it only when nobody comes towards you"),
    ("the hazard lights", "warn others of danger", "use them when you stop in a bad place"),
    ("the cruise control", "keeps the speed steady", "use it on a clear open road"),
    ("the lane assistant", "warns you when the car leaves its lane", "keep your hands on the wheel"),
    ("the parking brake", "holds the car when it is parked", "set it before you leave the car"),
    ("the rear demister", "clears the rear window", "switch it off when the glass is clear"),
    ("the traction control", "keeps the wheels from spinning", "leave it on in normal driving"),
    ("the horn", "warns others", "use it only when there is danger"),
    ("the indicator", "shows others where you want to go", "use it before every turn"),
    ("the air conditioning", "cools and dries the air", "use it when the windows mist up"),
)

DRIVERS = (
    ("Anna", "she", "her"), ("Ben", "he", "his"), ("Clara", "she", "her"), ("David", "he", "his"),
    ("Emma", "she", "her"), ("Frank", "he", "his"), ("Grace", "she", "her"), ("Hugo", "he", "his"),
    ("Ines", "she", "her"), ("Jonas", "he", "his"), ("Karin", "she", "her"), ("Leo", "he", "his"),
    ("Maria", "she", "her"), ("Nils", "he", "his"), ("Olga", "she", "her"), ("Paul", "he", "his"),
    ("Rosa", "she", "her"), ("Sam", "he", "his"), ("Tina", "she", "her"), ("Victor", "he", "his"),
)
CARS = ("small red car", "old blue van", "green estate car", "white hatchback", "grey electric car",
        "black saloon", "silver pickup", "yellow city car", "old family car", "new hybrid car")
GOALS = ("to work", "to the lake", "to the sea", "to the mountains", "home", "to the market",
         "to a friend in the next town", "to the airport", "to school", "to a wedding")
TIMES = ("One morning", "Late one evening", "On a Sunday afternoon", "Early on Monday", "Last winter",
         "On a warm summer day", "Just before dark", "On the first day of the holidays")
HELPERS = ("A mechanic", "The man at the workshop", "The woman at the workshop", "A friend",
           "The breakdown service")
PACKING = ("a warning triangle", "a first-aid kit", "a torch", "water", "a warm blanket",
           "jump leads", "a reflective vest", "a spare bulb", "an ice scraper", "a tyre gauge")

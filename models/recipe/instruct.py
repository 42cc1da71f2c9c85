"""Instruction examples in the three formats of the engine.

    classify   {instruction}\nLabels: {label}, ...\nText: {text}                                        -> {label}
    write      {instruction}\nWrite one text with the label {label}.\n- {rule} ...\nExamples:\n- ...    -> {text}
    plain      {instruction}[\n{input}]                                                                 -> {answer}

There are few real instruction sets one may use, and none which teaches a small model to obey rules. So most
examples are made from plain sentences: a sentence is found first, then rules which hold for it, a label which fits
it, and neighbours which resemble it. Each made-up task is used in both directions, classify and write.
"""

import io
import json
import random
import re
import tarfile
from collections import Counter
from pathlib import Path

import zstandard

LEXICON = {
    "animals": "dog cat horse cow goat bird birds fish lion elephant monkey mouse rabbit wolf fox sheep hen duck snake frog tiger bear animal animals donkey crocodile bee insect chicken pig dogs cats",
    "food": "bread food eat rice soup milk egg eggs dinner breakfast cake sugar fruit apple banana cook cooked meat cheese tea coffee hungry lunch supper butter potatoes vegetables mango honey meal",
    "family": "mother father brother sister son daughter grandmother grandfather uncle aunt mom dad parents family baby cousin wife husband child children grandma",
    "weather": "rain wind snow storm sun sunny cloud clouds cold hot weather thunder lightning rainy ice warm sunshine",
    "house": "house room door window kitchen bed table chair roof wall floor stairs lamp garden home",
    "body": "head hand hands eyes eye nose mouth ear ears leg legs feet foot arm arms hair face teeth heart fingers back",
    "clothes": "dress shirt hat coat shoes shoe clothes trousers cap jacket boots gloves skirt scarf sari",
    "transport": "car bus train ship boat road bicycle plane airport travel driver taxi journey wheel wagon truck ticket passengers",
    "school": "school teacher book books lesson class student students read write learn university study pencil classroom exam",
    "money": "money dollars pay paid buy bought sell price cost costs bank rich poor coins tax market income debt pounds",
    "nature": "tree trees river forest mountain sea lake flower flowers grass leaves sky stars moon island hill garden field",
    "music": "song sing sang music dance danced drum piano singer band guitar violin sings concert singing",
    "sport": "game team ball play football race player players match win won sports goal olympic coach",
    "health": "doctor hospital sick ill medicine disease pain health nurse fever patients wound cure",
    "war": "war army soldiers soldier battle fight gun guns enemy weapons troops attack sword military",
    "government": "president government law laws congress minister election vote court state states king queen parliament",
    "work": "work job workers worker farmer office company business employees wages factory boss labor",
    "technology": "computer phone internet website online smartphone mobile machine email software digital screen technology",
    "time": "today yesterday tomorrow morning evening night week month year years hour hours minutes monday sunday",
    "colours": "red blue green yellow black white brown pink grey purple golden colour colours",
    "feelings": "happy sad angry afraid love loved laughed cried smile smiled fear glad joy tears worried proud",
    "science": "scientists science research study energy planet species cells theory experiment brain scientist evolution",
}
RENAMES = {
    "animals": ["animal", "pets", "wildlife"], "food": ["eating", "meals", "cooking"], "family": ["relatives", "parents"],
    "weather": ["climate", "rain_and_sun"], "house": ["home", "rooms"], "transport": ["travel", "vehicles"],
    "school": ["education", "learning"], "money": ["finance", "shopping"], "nature": ["outdoors", "landscape"],
    "music": ["songs", "music_and_dance"], "sport": ["sports", "games"], "health": ["medicine", "medical"],
    "war": ["military", "fighting"], "government": ["politics", "law"], "work": ["jobs", "business"],
    "technology": ["tech", "computers"], "feelings": ["emotion words", "moods"], "science": ["research", "sci"],
}
WORDSETS = {k: set(v.split()) for k, v in LEXICON.items()}
SOURCE_NAMES = {
    "stories_african_storybook": ["story", "children's story", "tale"], "stories_pratham_books": ["story", "children's story", "tale"],
    "onestop_english": ["news", "newspaper", "article"], "wikitext2_valid": ["encyclopedia", "wiki", "reference"],
    "openstax_economics": ["textbook", "economics", "lesson"], "openstax_anthropology": ["textbook", "anthropology", "lesson"],
    "us_state_union": ["speech", "politics"],
    "books_young_readers": ["novel", "book", "old book"],
}
STOP = set("the a an and or but of to in on at for with from by as is was were are be been it its he she his her they them their "
           "i you we us our my your me him that this these those not no so if then than there here had has have do did does "
           "will would could should can may might must when what which who whom how why where all any some one into out up down "
           "over under very more most much many said about only just like now after before again also such own too other were".split())
NUMBERS = set("one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand million".split())

tokens = lambda s: re.findall(r"[a-z']+", s.lower())
quoted = lambda ws: ", ".join(f'"{w}"' for w in ws[:-1]) + (" and " if len(ws) > 1 else "") + f'"{ws[-1]}"'


class Sentence:
    """A text with the facts which rules and labels are made from."""

    def __init__(self, text, source, doc):
        self.text, self.source, self.doc = text, source, doc
        self.words = tokens(text)
        self.set = set(self.words)
        self.n = len(text.split())
        self.content = [w for w in self.words if w not in STOP and len(w) > 3 and "'" not in w]
        self.topics = {k for k, ws in WORDSETS.items() if self.set & ws}
        self.names = [w for w in re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}", text)]


FACTS = {  # name: (holds, [(instruction, yes label, no label)], rules if it holds, rules if not)
    "question": (lambda s: s.text.rstrip('"').endswith("?"),
                 [("Say whether the text is a question or a statement.", "question", "statement"),
                  ("Does the text ask something?", "yes", "no"), ("Is it a question?", "asking", "telling")],
                 ["Write a question.", "Ask something.", "End with a question mark.", "It must be a question."],
                 ["Write a statement.", "Do not ask a question.", "Tell something."]),
    "exclaim": (lambda s: s.text.rstrip('"').endswith("!"),
                [("Decide whether the text is an exclamation.", "exclamation", "other"), ("Is the text excited or calm?", "excited", "calm")],
                ["End with an exclamation mark.", "Write an exclamation.", "Sound excited."], ["Stay calm.", "Do not use an exclamation mark."]),
    "speech": (lambda s: '"' in s.text,
               [("Tell speech from narration.", "speech", "narration"), ("Is somebody speaking in the text?", "yes", "no")],
               ["Let someone speak.", "Use quotation marks.", "Write dialogue."], ["Do not use quotation marks.", "No dialogue."]),
    "number": (lambda s: bool(re.search(r"\d", s.text) or s.set & NUMBERS),
               [("Does the text mention a number?", "yes", "no"), ("Sort the texts by whether they hold a number.", "number", "no number"),
                ("Find texts with numbers in them.", "with_number", "without_number")],
               ["Mention a number.", "Use a number.", "Include a number."], ["Do not mention a number.", "Use no numbers."]),
    "first": (lambda s: bool(s.set & {"i", "me", "my", "we", "our", "us", "i'm", "i'll", "i've"}),
              [("Is the text written in the first person?", "first person", "other"), ("Does the writer speak of himself or herself?", "yes", "no")],
              ["Write in the first person.", 'Use "I" or "we".', "Speak of yourself."], ["Do not write in the first person.", 'Do not use "I".']),
    "you": (lambda s: bool(s.set & {"you", "your", "you're", "you'll"}),
            [("Is the text addressed to somebody?", "addressed", "not addressed"), ('Does the text say "you"?', "yes", "no")],
            ["Speak to the reader.", 'Use "you".', "Address somebody."], ['Do not use "you".']),
    "not": (lambda s: bool(s.set & {"not", "no", "never", "nothing", "don't", "didn't", "can't", "wasn't", "nobody", "cannot", "couldn't", "won't"}),
            [("Does the sentence say no to something?", "negative form", "positive form"), ("Find sentences with a negation.", "negation", "plain")],
            ["Use a negation.", 'Use "not" or "never".', "Say that something is not so."], ["Do not use a negation."]),
    "name": (lambda s: bool(s.names),
             [("Does the text mention a name?", "name", "no name"), ("Say whether a named person or place occurs.", "yes", "no")],
             ["Mention a name.", "Use a name of a person or a place."], ["Do not mention any names."]),
    "past": (lambda s: bool(s.set & {"was", "were", "had", "did", "said", "went", "came"}) and not s.set & {"is", "are", "will", "am"},
             [("Is the text about the past or the present?", "past", "present"), ("Choose the tense.", "past tense", "other tense")],
             ["Write in the past tense.", "Tell what happened."], ["Write about now."]),
    "short": (lambda s: s.n <= 8,
              [("Decide whether the text is short or long.", "short", "long"), ("Is it at most eight words long?", "yes", "no")],
              ["Keep it short.", "Write a short text.", "Use few words."], []),
    "woman": (lambda s: bool(s.set & {"she", "her"}) and not s.set & {"he", "his", "him"},
              [("Is the text about a woman or a girl?", "yes", "no"), ("Who is it about?", "she", "someone else")],
              ["Write about a woman or a girl.", 'Use "she".'], []),
    "man": (lambda s: bool(s.set & {"he", "his", "him"}) and not s.set & {"she", "her"},
            [("Is the text about a man or a boy?", "yes", "no"), ("Who is it about?", "he", "someone else")],
            ["Write about a man or a boy.", 'Use "he".'], []),
    "many": (lambda s: s.text.count(".") + s.text.count("!") + s.text.count("?") > 1 and bool(re.search(r'[.!?]"? [A-Z"]', s.text)),
             [("One sentence or more?", "several sentences", "one sentence")],
             ["Write two sentences.", "Use more than one sentence."], ["Write one sentence.", "A single sentence."]),
    "comma": (lambda s: "," in s.text, [("Is there a comma in the text?", "yes", "no")], ["Use a comma."], ["Do not use commas."]),
    "lower": (lambda s: s.text == s.text.lower(), [("Is the text in lower case only?", "lower case", "mixed case")],
              ["Write in lower case.", "Use no capital letters.", "Write without punctuation."], []),
}
TOPIC_TASKS = ["What is the text about?", "Pick the topic of the text.", "Say which topic the text belongs to.", "Choose the best label for the text.",
               "Sort the messages by topic.", "Name the subject of the sentence.", "Classify the text.", "Decide what the sentence is about.",
               "Which of these themes fits the text?", "Find the right category.", "Assign the text to one of the categories."]
BOOK_TASKS = ["Say which story the sentence comes from.", "Which text does this belong to?", "Match the sentence with its story.", "Which book is the sentence from?"] + TOPIC_TASKS
SOURCE_TASKS = ["Say what kind of text the sentence comes from.", "What kind of writing is this?", "Choose the genre.", "Where could this text be found?"]
WORD_TASKS = ["Which of these words occurs in the text?", "Find the word that the text uses.", "Which key word fits the text?"] + TOPIC_TASKS[:5]


def sentences_of(piece, source, doc):
    """Sentences of 3 to 28 words, and now and then two in a row."""
    out = []
    for paragraph in piece.split("\n"):
        parts = re.findall(r'[^.!?]+[.!?]+"?(?= |$)|[^.!?]+$', paragraph)
        parts = [s.strip() for s in parts]
        for i, s in enumerate(parts):
            if s.count('"') % 2:
                s = s.strip('"') if s.strip('"').count('"') == 0 else ""
            if 3 <= len(s.split()) <= 28 and re.search("[a-z]", s) and not re.match(r"(CHAPTER|Chapter|\d+\.)", s) and len(s) < 170:
                out.append(Sentence(s, source, doc))
                if i + 1 < len(parts) and i % 3 == 0 and '"' not in s + parts[i + 1] and 3 <= len(parts[i + 1].split()) <= 14 and len(s) < 90:
                    out.append(Sentence(s + " " + parts[i + 1], source, doc))
    return out


class Pool:
    def __init__(self, pieces, rng):
        self.docs, self.keys, self.titles, self.by_topic, self.by_fact = [], [], [], {k: [] for k in LEXICON}, {}
        limits = {"books_young_readers": 1500, "us_state_union": 60}
        self.all, counts = [], []
        for source, texts in pieces.items():
            texts = list(texts)
            rng.shuffle(texts)
            for text in texts[:limits.get(source, 3000)]:
                doc = sentences_of(text, source, len(self.docs))
                if len(doc) >= 4:
                    self.docs.append(doc)
                    counts.append(Counter(w for s in doc for w in s.content))
                    self.titles.append(text.split("\n")[0] if source.startswith("stories") else "")
        df = Counter(w for c in counts for w in c)
        for c in counts:  # key words: frequent here, rarer elsewhere
            self.keys.append([w for w, n in sorted(c.items(), key=lambda x: -x[1] / (df[x[0]] + 3) ** 0.6) if n > 1][:5])
        for doc in self.docs:
            self.all += doc
        self.by_word = {}
        for s in self.all:
            for t in s.topics:
                self.by_topic[t].append(s)
            for w in set(s.content):
                self.by_word.setdefault(w, []).append(s)
        self.by_word = {w: v for w, v in self.by_word.items() if 12 <= len(v)}
        self.vocabulary = sorted(self.by_word)
        self.modern = [s for s in self.all if not s.source.startswith(("books", "us_"))]
        for name, (holds, *_) in FACTS.items():
            groups = {True: [], False: []}
            for s in rng.sample(self.all, min(60000, len(self.all))) + self.modern:
                groups[bool(holds(s))].append(s)
            self.by_fact[name] = groups
        self.by_source = {}
        for s in self.all:
            for n in SOURCE_NAMES.get(s.source, []):
                self.by_source.setdefault(n, []).append(s)


def style(label, rng):
    """The same label as different people would write it."""
    return rng.choice([str, str, str, str.title, str.upper, lambda s: s.replace(" ", "_"), lambda s: s.replace("_", " "), str.capitalize])(label)


def topic_task(pool, rng):
    names = rng.sample(sorted(LEXICON), rng.randint(2, 7))
    groups = {}
    for n in names:
        label = rng.choice([n, n] + RENAMES.get(n, []))
        for _ in range(40):
            s = rng.choice(pool.by_topic[n])
            if not s.topics & (set(names) - {n}):
                groups.setdefault(label, []).append(s)
            if len(groups.get(label, [])) >= 6:
                break
    return rng.choice(TOPIC_TASKS), groups


def book_task(pool, rng):
    groups = {}
    for d in rng.sample(range(len(pool.docs)), rng.randint(2, 6)):
        if not pool.keys[d]:
            continue
        key = pool.keys[d][0]
        near = [s for s in pool.docs[d] if s.set & set(pool.keys[d])]
        title = pool.titles[d]
        label = title if title and len(title) < 25 and rng.random() < 0.4 else key
        if len(near) >= 2 and label not in groups and "," not in label:
            groups[label] = rng.sample(near, min(6, len(near)))
    return rng.choice(BOOK_TASKS), groups


def word_task(pool, rng):
    ws = rng.sample(pool.vocabulary, rng.randint(2, 5))
    groups = {w: [s for s in rng.sample(pool.by_word[w], 6) if not s.set & (set(ws) - {w})] for w in ws}
    return rng.choice(WORD_TASKS), {w: g for w, g in groups.items() if g}


def source_task(pool, rng):
    names = rng.sample(sorted(pool.by_source), rng.randint(2, 4))
    groups, seen = {}, set()
    for n in names:
        sources = {s for s, ns in SOURCE_NAMES.items() if n in ns}
        if not sources & seen:
            seen |= sources
            groups[n] = [rng.choice(pool.by_source[n]) for _ in range(5)]
    return rng.choice(SOURCE_TASKS), groups


def fact_task(pool, rng):
    name = rng.choice(sorted(FACTS))
    instruction, yes, no = rng.choice(FACTS[name][1])
    groups = pool.by_fact[name]
    if rng.random() < 0.25:  # a label is only a name: it may be any letter, if the instruction says so
        a, b = rng.choice([("A", "B"), ("B", "A"), ("1", "2"), ("2", "1"), ("yes", "no"), ("true", "false"), ("X", "Y")])
        instruction = rng.choice(["{i} Answer {a} for {y} and {b} for {n}.", "{i} ({a}: {y}, {b}: {n})", "{i} Use {a} if {y}, else {b}."]).format(
            i=instruction, a=a, b=b, y=yes, n=no)
        yes, no = a, b
    return instruction, {yes: rng.sample(groups[True], 6), no: rng.sample(groups[False], 6)}


TASKS = [(topic_task, 5), (book_task, 4), (word_task, 5), (source_task, 2), (fact_task, 5)]


def make_task(pool, rng):
    while True:
        maker = rng.choices([t for t, _ in TASKS], [w for _, w in TASKS])[0]
        instruction, groups = maker(pool, rng)
        if len(groups) >= 2:
            break
    if maker is not fact_task and rng.random() < 0.4:
        seed = rng.random()  # one style for all labels of a task
        groups = {style(label, random.Random(seed)): group for label, group in groups.items()}
    if rng.random() < 0.15:
        instruction = instruction[0].lower() + instruction[1:].rstrip(".?")
    return instruction, groups


def classify(instruction, labels, text, label, rng):
    labels = list(labels)
    rng.shuffle(labels)
    return {"kind": "classify", "user": f"{instruction}\nLabels: {', '.join(labels)}\nText: {text}", "assistant": label}


def rules_for(s, pool, rng):
    """Rules which hold for the sentence, the telling ones first chance."""
    rules, n = [], s.n
    low, high = max(1, n - rng.randint(0, 4)), n + rng.randint(0, 5)
    rules.append(rng.choice([f"Use between {low} and {high} words.", f"Write {low} to {high} words.", f"Use at most {high} words.",
                             f"Use at least {low} words.", f"Use exactly {n} words.", f"Length: {low}-{high} words.",
                             "Write a longer text." if n > 16 else "Keep it short." if n < 9 else "Medium length."]))
    content = [w for w in s.content if w in pool.by_word] or s.content
    if content:
        ws = list(dict.fromkeys(rng.sample(content, min(len(content), rng.choice([1, 1, 1, 2, 2, 3])))))
        template = rng.choice(["Use the word{s} {w}.", "Mention {w}.", "Include the word{s} {w}.", "Use {w}.", "The text must contain {w}."])
        rules.append(template.format(s="s" if len(ws) > 1 else "", w=quoted(ws) if rng.random() < 0.8 else " and ".join(ws)))
    if s.topics and rng.random() < 0.7:
        t = rng.choice(sorted(s.topics))
        rules.append(rng.choice(["Talk about {}.", "Mention something about {}.", "Topic: {}.", "Write about {}."]).format(rng.choice([t] + RENAMES.get(t, [])).replace("_", " ")))
    ws = s.text.split()
    if rng.random() < 0.4:
        k = rng.choice([1, 1, 2, 3])
        rules.append(rng.choice(["Start with {}.", "Begin with {}.", "The first word{s} must be {}."]).format('"' + " ".join(ws[:k]).strip('",') + '"', s="s" if k > 1 else ""))
    if rng.random() < 0.15 and re.search("[a-z]", ws[-1]):
        rules.append(f'End with "{ws[-1].strip(chr(34))}".')
    if s.names and rng.random() < 0.4:
        rules.append(f"Mention {rng.choice(s.names)}.")
    if rng.random() < 0.1:
        w = rng.choice(pool.vocabulary)
        if w not in s.set:
            rules.append(rng.choice(['Do not use the word "{}".', 'Avoid "{}".']).format(w))
    for name in rng.sample(sorted(FACTS), 8):
        holds, _, yes, no = FACTS[name]
        held = holds(s)
        if held and yes:
            rules.append(rng.choice(yes))
        elif not held and no and rng.random() < 0.15:
            rules.append(rng.choice(no))
    rng.shuffle(rules)
    return rules


def write(instruction, label, s, examples, rules, rng):
    user = f"{instruction}\nWrite one text with the label {label}."
    if rules:
        user += "".join(f"\n- {r}" for r in rules)
    if examples:
        user += "\nExamples:" + "".join(f"\n- {e}" for e in examples)
    return {"kind": "write", "user": user, "assistant": s.text}


def from_task(pool, rng):
    """A handful of examples of one made-up task, in both directions."""
    instruction, groups = make_task(pool, rng)
    out = []
    labels = list(groups)
    for _ in range(2):
        label = rng.choice(labels)
        out.append(classify(instruction, labels, rng.choice(groups[label]).text, label, rng))
    for _ in range(3):
        label = rng.choice(labels)
        texts = groups[label][:]
        rng.shuffle(texts)
        s = texts[0]
        examples = [t.text for t in texts[1:1 + rng.choice([0, 0, 1, 2, 2, 3, 3])] if t.text != s.text]
        rules = rules_for(s, pool, rng)[:rng.choice([0, 1, 1, 2, 2, 3, 4, 5])]
        out.append(write(instruction, label, s, examples, rules, rng))
    return out


PEOPLE = "Anna Tom Mia Ben Sara Musa Ravi Lina John Mary Peter Asha Omar Zoe Nina Paul".split()
PLACES = "kitchen garden school market park shop library office river station".split()
THINGS = "ball book apple hat key cup bag letter lamp phone".split()


def tiny_qa(pool, rng):
    """Who is where, who has what: facts to be looked up in a short text."""
    people, places = rng.sample(PEOPLE, 3), rng.sample(PLACES, 3)
    thing = rng.choice(THINGS)
    verbs = ["went to", "walked to", "is in", "ran to", "is at"]
    facts = [f"{p} {rng.choice(verbs)} the {q}." for p, q in zip(people, places)]
    owner = rng.choice(people)
    facts.append(f"{owner} {rng.choice(['has', 'took', 'found', 'holds'])} the {thing}.")
    rng.shuffle(facts)
    i = rng.randrange(3)
    question, answer = rng.choice([(f"Where is {people[i]}?", places[i]), (f"Who is in the {places[i]}?", people[i]), (f"Who has the {thing}?", owner),
                                   (f"Is {people[i]} in the {places[i]}?", "yes"), (f"Is {people[i]} in the {places[i - 1]}?", "no")])
    text = " ".join(facts)
    return rng.choice([f"{text}\n{question}", f"Answer the question.\n{text}\n{question}", f"Read the text and answer.\n{text}\nQuestion: {question}"]), answer


def text_skill(pool, rng):
    """Small exact skills on one sentence."""
    s = rng.choice(pool.modern if rng.random() < 0.5 else pool.all)
    ws = s.text.split()
    bare = lambda w: w.strip('.,;:!?"()')
    kind = rng.randrange(10)
    w = rng.choice(s.content) if s.content else bare(ws[0])
    other = rng.choice(pool.vocabulary)
    if kind == 0:
        return f"{rng.choice(['Repeat the text.', 'Copy this sentence.', 'Say it again.'])}\n{s.text}", s.text
    if kind == 1:
        return f"{rng.choice(['What is the last word?', 'Write the last word of the text.'])}\n{s.text}", bare(ws[-1])
    if kind == 2:
        return f"{rng.choice(['What is the first word?', 'Write the first word of the text.'])}\n{s.text}", bare(ws[0])
    if kind == 3:
        v, answer = (w, "yes") if rng.random() < 0.5 else (other, "yes" if other in s.set else "no")
        return f'Does the text contain the word "{v}"?\n{s.text}', answer
    if kind == 4 and s.content:
        gap = re.sub(rf"\b{re.escape(w)}\b", "___", s.text, count=1, flags=re.I)
        options = [w, other]
        rng.shuffle(options)
        return f"Fill in the gap: {' or '.join(options)}?\n{gap}", w
    if kind == 5:
        return "List the names in the text.\n" + s.text, ", ".join(s.names) or "none"
    if kind == 6 and s.content:
        return f"{rng.choice(['Write a sentence with the word', 'Make a sentence with'])} \"{w}\".", s.text
    if kind == 7 and s.topics:
        return f"{rng.choice(['Write a sentence about', 'Say something about', 'Tell me something about'])} {rng.choice(sorted(s.topics))}.", s.text
    if kind == 8:
        return "Write the text in lower case without punctuation.\n" + s.text, re.sub(r"[^a-z0-9' ]", "", s.text.lower())
    doc = pool.docs[s.doc]
    i = rng.randrange(len(doc) - 1)
    return f"{rng.choice(['Continue the text.', 'What comes next?', 'Write the next sentence.'])}\n{doc[i].text}", doc[i + 1].text


def stories(pieces):
    for source in ("stories_african_storybook", "stories_pratham_books"):
        for text in pieces[source]:
            title, _, body = text.partition("\n")
            if len(title) < 50 and len(body) > 200:
                cut = body.strip()[:750]
                cut = cut[:max(cut.rfind("."), cut.rfind("!"), cut.rfind("?")) + 1]
                body = re.sub(r"\n+", " ", cut)
                yield f'Tell the story "{title}".', body
                yield f"Write a short story: {title}", body


def read_tar(path):
    raw = zstandard.ZstdDecompressor().stream_reader(open(path, "rb")).read()
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return {Path(m.name).as_posix(): json.load(tar.extractfile(m)) for m in tar if m.name.endswith(".json")}


# The others need knowledge or arithmetic which a model of this size will not have: a taste of them is enough.
LEARNABLE = {"active_to_passive", "negation", "taxonomy_animal", "larger_animal", "orthography_starts_with",
             "singular_to_plural", "antonyms", "first_word_letter", "num_to_verbal"}


def induction(folder, rng):
    """Instruction Induction, without sentiment (an evaluation task) and translation (English only)."""
    files = read_tar(folder / "instruction_induction" / "data.tar.zst")
    for name, data in sorted(files.items()):
        task = Path(name).stem
        if "annotations" not in name or task == "sentiment" or "translation" in task:
            continue
        examples = [e for n, d in files.items() if n.endswith(f"raw/induce/{task}.json") for e in d["examples"].values()]
        cap = 400 if task in LEARNABLE else 60
        for e in rng.sample(examples, min(cap, len(examples))):
            instruction = rng.choice(data["annotations"])
            instruction = instruction[0].upper() + instruction[1:].rstrip(":") + ("" if instruction.endswith((".", "?", ":")) else ".")
            if task == "larger_animal" and rng.random() < 0.5:
                yield classify(instruction, [e["small"], e["large"]], e["input"], e["large"], rng)
            elif task == "word_in_context" and rng.random() < 0.7:
                yield classify(instruction, ["same", "not the same"], e["input"], e["output"], rng)
            elif "input" in e:
                yield {"kind": "plain", "user": f"{instruction}\n{e['input']}", "assistant": e["output"]}
            elif "cause" in e:
                yield {"kind": "plain", "user": f"Write the effect.\n{e['cause']}", "assistant": e["effect"]}
            elif "items" in e:
                yield {"kind": "plain", "user": f"{instruction}\n{', '.join(e['items'])}", "assistant": e["concept"]}


def natural_instructions(folder, rng):
    """Super-NaturalInstructions, without every task which shares its source with an evaluation task."""
    tasks_folder = folder.parent / "tasks"
    banned = {"boolq", "sst", "sst2", "imdb", "trec", "emotion", "ag_news", "clinc", "snips", "cola", "gsm8k", "svamp", "commonsenseqa",
              "fairytaleqa", "wnut", "bc5cdr", "conll", "crossner", "sms_spam", "subj"}
    for path in tasks_folder.glob("sni_*/task.json"):
        banned.update(json.loads(path.read_text())["source_dataset"])
    for line in (folder / "sni" / "tasks.jsonl").read_text(encoding="utf-8").splitlines():
        task = json.loads(line)
        haystack = task["task"] + " " + " ".join(task["source_dataset"])
        if any(b in haystack for b in banned):
            continue
        definition = re.sub(r"\s+", " ", task["definition"]).strip()
        sentences = re.split(r"(?<=[.?!]) ", definition)
        short = " ".join(sentences[:2]) if len(" ".join(sentences[:2])) < 260 else sentences[0]
        rows = [(r["input"], r["output"] if isinstance(r["output"], str) else r["output"][0]) for r in task["instances"]]
        rows += [(r["input"], r["output"]) for r in task["positive_examples"]]
        labels = sorted({o for _, o in rows})
        for x, y in rows:
            if len(labels) <= 12 and max(map(len, labels)) < 30:
                yield classify(short, labels, x, y, rng)
            yield {"kind": "plain", "user": f"{short}\n{x}", "assistant": y}


def questions(folder):
    """Dolly and Self-Instruct: real requests with real answers."""
    for line in (folder / "dolly_hhrlhf" / "dolly_hhrlhf_train_small.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["prompt"].split("### Instruction:\n")[1].split("\n\n### Response:")[0].strip(), row["response"].strip()
    for name in ("seed_tasks", "user_oriented_instructions"):
        for line in (folder / "self_instruct" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for i in row["instances"]:
                yield (row["instruction"] + ("\n" + i["input"] if i["input"] else "")).strip(), i["output"].strip()


def build(folder, pieces, test_texts, count, rng):
    """All instruction examples: the real ones and `count` made ones."""
    folder = Path(folder)
    real = list(induction(folder, rng)) + list(natural_instructions(folder, rng))
    real += [{"kind": "plain", "user": u, "assistant": a} for u, a in list(questions(folder)) + list(stories(pieces))]
    requests = [u for u, _ in questions(folder) if "\n" not in u and len(u.split()) < 25]
    pieces = {**pieces, "requests": ["\n".join(requests[i:i + 12]) for i in range(0, len(requests), 12)]}
    pool = Pool(pieces, rng)
    made = []
    while len(made) < count:
        made += from_task(pool, rng)
        for maker in (tiny_qa, text_skill):
            if rng.random() < 0.5:
                user, answer = maker(pool, rng)
                made.append({"kind": "plain", "user": user, "assistant": answer})
    chats = [c for c in real + made if c["assistant"].strip()]
    return [c for c in chats if not any(test_texts.leaks(line) for line in (c["user"] + "\n" + c["assistant"]).split("\n"))]

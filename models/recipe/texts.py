"""The plain texts: read, clean, and keep the evaluation tasks out.

Everything the recipe learns from passes through `load_texts`, so the promise "no test text is ever trained on"
is kept in one place.
"""

import io
import json
import re
from pathlib import Path

import zstandard

# Share of the plain-text tokens per source. Clear, modern, simple English is favoured: the run is short, and children's
# stories and news for learners teach a small model more per token than old fiction, speeches or encyclopedias do.
SHARES = {
    "stories_african_storybook": 12.0,
    "stories_pratham_books": 18.0,
    "onestop_english": 15.0,
    "wikitext2_valid": 2.0,
    "clinc_wiki_sentences": 6.0,
    "openstax_economics": 4.0,
    "openstax_anthropology": 4.0,
    "us_state_union": 1.0,
    "books_young_readers": 38.0,
}
# For a model cut out of a larger one, which knows English already and is to stay at home in today's.
CUT_SHARES = {
    "stories_african_storybook": 8.0,
    "stories_pratham_books": 12.0,
    "onestop_english": 24.0,
    "wikitext2_valid": 6.0,
    "clinc_wiki_sentences": 10.0,
    "openstax_economics": 8.0,
    "openstax_anthropology": 8.0,
    "us_state_union": 2.0,
    "books_young_readers": 22.0,
}

# One spelling per character: a 4096-piece vocabulary has no room for three kinds of quotation mark.
PLAIN = str.maketrans({
    "\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'", "\u00a0": " ", "\u2009": " ", "\ufeff": "",
    "\u2014": "--", "\u2013": "-", "\u2026": "...", "\u00ad": "", "\r": "",
})


def read_zst(path):
    with open(path, "rb") as raw:
        return io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), encoding="utf-8").read()


def clean(text):
    text = text.translate(PLAIN)
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" *\n *", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def untokenise_wiki(text):
    """WikiText comes with spaces around punctuation and <unk> for rare words; sentences with <unk> are dropped."""
    lines = []
    for line in text.split("\n"):
        line = line.strip()
        if line.startswith("="):
            line = line.strip("= ")
            if "<unk>" in line:
                continue
        else:
            line = " ".join(s for s in re.split(r"(?<= [.!?]) ", line) if "<unk>" not in s)
        line = re.sub(r" @([-,.])@ ", r"\1", line)
        line = re.sub(r" ([,.;:!?%)\]]|'s\b|n't\b|'re\b|'ve\b|'ll\b|'d\b|'m\b)", r"\1", line)
        line = re.sub(r"([(\[$]) ", r"\1", line)
        line = re.sub(r'" ([^"]*?) "', r'"\1"', line)
        if line:
            lines.append(line)
    return "\n\n".join(lines)


def words(text):
    return re.findall(r"[a-z0-9]+", text.lower())


class TestTexts:
    """All test texts of the evaluation tasks, to be kept out of training.

    A document with a line equal to a test text is dropped whole (a line shorter than four words is dropped alone:
    "thank you" is no leak). Beyond that, a paragraph which shares a run of 13 words with a test text is dropped.
    """

    RUN = 13

    def __init__(self, tasks_folder):
        self.lines, self.runs = set(), set()
        for path in sorted(Path(tasks_folder).glob("*/test.jsonl")):
            for row in path.read_text(encoding="utf-8").splitlines():
                for text in self._strings(json.loads(row)):
                    for line in clean(text).split("\n") + [text]:
                        w = words(line)
                        self.lines.add(" ".join(w))
                        self.runs.update(tuple(w[i:i + self.RUN]) for i in range(len(w) - self.RUN + 1))
        self.lines.discard("")

    @staticmethod
    def _strings(row):
        for key, value in row.items():
            if key == "tokens":
                yield " ".join(value)
            elif key in ("text", "question", "context", "input") and isinstance(value, str):
                yield value

    def leaks(self, text):
        """True for a single text (an instruction example) that must not be trained on."""
        w = words(text)
        return (len(w) >= 4 and " ".join(w) in self.lines) or any(
            tuple(w[i:i + self.RUN]) in self.runs for i in range(len(w) - self.RUN + 1))

    def filter(self, document):
        """The document without leaking paragraphs, or None if it holds a test text as a line of its own."""
        kept = []
        for line in document.split("\n"):
            w = words(line)
            if w and " ".join(w) in self.lines:
                if len(w) >= 4:
                    return None
                continue
            if any(tuple(w[i:i + self.RUN]) in self.runs for i in range(len(w) - self.RUN + 1)):
                continue
            kept.append(line)
        return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def load_texts(data, test_texts, log=print):
    """{source: [document, ...]} of cleaned documents without test texts."""
    sources = {}
    for source in SHARES:
        raw = read_zst(Path(data) / "pretrain" / f"{source}.txt.zst")
        if source == "wikitext2_valid":
            raw = untokenise_wiki(raw.replace("<|endoftext|>", "\n<|endoftext|>\n").replace("\n= ", "\n= "))
        documents = [clean(d) for d in raw.split("<|endoftext|>")]
        if source == "clinc_wiki_sentences":
            # unrelated single sentences: short documents of eight, so that no order is learnt from them
            lines = [s for d in documents for s in d.split("\n") if s]
            documents = ["\n".join(lines[i:i + 8]) for i in range(0, len(lines), 8)]
        documents = [d for d in documents if d]
        kept = [test_texts.filter(d) for d in documents]
        sources[source] = [d for d in kept if d]
        log(f"{source}: {len(sources[source])} documents, {sum(map(len, sources[source])) / 1e6:.2f} M characters, "
            f"{sum(d is None for d in kept)} dropped for a test text")
    return sources

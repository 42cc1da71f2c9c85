//! A shape on its way to an automaton: first a graph in which several ways may go out for the same byte, then the subset
//! construction.

use std::collections::{BTreeMap, BTreeSet};

use super::automaton::{Automaton, Bytes, Edges, MOST};
use super::shape::{Shape, Words};
use crate::generate::GenerateError;

/// Digits of a number on each side of its point.
const DIGITS: usize = 9;

/// The automaton while it is built: from a node several edges may go out for the same byte, and some for none.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    edges: Vec<(Bytes, usize)>,
    free: Vec<usize>,
}

impl Graph {
    pub fn node(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    pub fn byte(&mut self, from: usize, bytes: Bytes, to: usize) {
        self.nodes[from].edges.push((bytes, to));
    }

    pub fn free(&mut self, from: usize, to: usize) {
        self.nodes[from].free.push(to);
    }

    /// A byte of a run, to a new node.
    fn then(&mut self, from: usize, bytes: Bytes) -> usize {
        let to = self.node();
        self.byte(from, bytes, to);
        to
    }

    fn text(&mut self, from: usize, text: &str) -> usize {
        text.bytes()
            .fold(from, |at, byte| self.then(at, (byte, byte)))
    }

    /// A character that is no control character, none of `but` (ASCII), to `to`.
    fn character(&mut self, from: usize, to: usize, but: &[u8]) {
        let mut first = b' ';
        for byte in b' '..=0x7e {
            if but.contains(&byte) {
                if first < byte {
                    self.byte(from, (first, byte - 1), to);
                }
                first = byte + 1;
            }
        }
        if first <= 0x7e {
            self.byte(from, (first, 0x7e), to);
        }
        // The Unicode standard's table of well-formed sequences (3-7), from U+00A0 on.
        const MORE: Bytes = (0x80, 0xbf);
        let sequences: [&[Bytes]; 9] = [
            &[(0xc2, 0xc2), (0xa0, 0xbf)],
            &[(0xc3, 0xdf), MORE],
            &[(0xe0, 0xe0), (0xa0, 0xbf), MORE],
            &[(0xe1, 0xec), MORE, MORE],
            &[(0xed, 0xed), (0x80, 0x9f), MORE],
            &[(0xee, 0xef), MORE, MORE],
            &[(0xf0, 0xf0), (0x90, 0xbf), MORE, MORE],
            &[(0xf1, 0xf3), MORE, MORE, MORE],
            &[(0xf4, 0xf4), (0x80, 0x8f), MORE, MORE],
        ];
        for sequence in sequences {
            let mut at = from;
            for bytes in &sequence[..sequence.len() - 1] {
                at = self.then(at, *bytes);
            }
            self.byte(at, sequence[sequence.len() - 1], to);
        }
    }

    /// Adds a shape behind a node and gives the node behind it.
    pub fn shape(&mut self, shape: &Shape, from: usize) -> Result<usize, GenerateError> {
        if self.nodes.len() > MOST {
            return Err(GenerateError::TooLarge(MOST));
        }
        Ok(match shape {
            Shape::Text(text) => self.text(from, text),
            Shape::Line => {
                let end = self.node();
                self.character(from, end, b" ");
                self.character(end, end, b"");
                end
            }
            Shape::JsonCharacters => {
                // A loop needs a node of its own: the one before may have other ways out.
                let end = self.node();
                self.free(from, end);
                self.character(end, end, b"\"\\");
                let escape = self.then(end, (b'\\', b'\\'));
                for letter in *b"\"\\/bfnrt" {
                    self.byte(escape, (letter, letter), end);
                }
                end
            }
            Shape::JsonNumber => self.number(from),
            Shape::OneOf(shapes) => {
                let end = self.node();
                for shape in shapes {
                    let last = self.shape(shape, from)?;
                    self.free(last, end);
                }
                end
            }
            Shape::Sequence(shapes) => {
                let mut at = from;
                for shape in shapes {
                    at = self.shape(shape, at)?;
                }
                at
            }
            Shape::Repeat {
                item,
                between,
                least,
                most,
            } => self.repeat(from, item, between, *least, *most)?,
            Shape::Bio { kinds, words } => match words {
                Words::Given(words) => self.tags_of(from, kinds, words)?,
                Words::Free { least } => self.tagged(from, kinds, *least)?,
            },
        })
    }

    fn number(&mut self, from: usize) -> usize {
        let end = self.node();
        let sign = self.node();
        self.free(from, sign);
        self.byte(from, (b'-', b'-'), sign);
        let whole = self.then(sign, (b'0', b'0'));
        let mut digit = self.then(sign, (b'1', b'9'));
        for _ in 1..DIGITS {
            self.free(digit, whole);
            digit = self.then(digit, (b'0', b'9'));
        }
        self.free(digit, whole);
        self.free(whole, end);
        let mut digit = self.then(whole, (b'.', b'.'));
        for _ in 0..DIGITS {
            digit = self.then(digit, (b'0', b'9'));
            self.free(digit, end);
        }
        end
    }

    fn repeat(
        &mut self,
        from: usize,
        item: &Shape,
        between: &str,
        least: usize,
        most: Option<usize>,
    ) -> Result<usize, GenerateError> {
        let end = self.node();
        if least == 0 {
            self.free(from, end);
        }
        // Every item ends at a node of its own, unless there is no end: then the last one goes round.
        let mut at = from;
        let rounds = most.unwrap_or(least.max(1));
        for round in 1..=rounds {
            let begin = at;
            at = self.shape(item, begin)?;
            if round >= least {
                self.free(at, end);
            }
            if round < rounds {
                at = self.text(at, between);
            } else if most.is_none() {
                let again = self.text(at, between);
                let last = self.shape(item, again)?;
                self.free(last, at);
            }
        }
        Ok(end)
    }

    /// The tag of one word behind what the tag before can have been: 0 for outside, from 1 on inside a kind, each with
    /// the node it led to. Gives the same of this tag.
    fn tag(&mut self, before: &[(usize, usize)], kinds: &[String]) -> Vec<(usize, usize)> {
        let after: Vec<(usize, usize)> = (0..=kinds.len()).map(|is| (is, self.node())).collect();
        for (was, from) in before {
            for (is, to) in &after {
                let tags = match is.checked_sub(1).map(|kind| &kinds[kind]) {
                    None => vec!["O".to_owned()],
                    Some(kind) if was == is => vec![format!("B-{kind}"), format!("I-{kind}")],
                    Some(kind) => vec![format!("B-{kind}")],
                };
                for tag in tags {
                    let last = self.text(*from, &tag);
                    self.free(last, *to);
                }
            }
        }
        after
    }

    /// One line for each word.
    fn tags_of(
        &mut self,
        from: usize,
        kinds: &[String],
        words: &[String],
    ) -> Result<usize, GenerateError> {
        let mut at = vec![(0, from)];
        let mut lead = String::new();
        for word in words {
            if self.nodes.len() > MOST {
                return Err(GenerateError::TooLarge(MOST));
            }
            lead.push_str(word);
            lead.push(' ');
            for (_, node) in &mut at {
                *node = self.text(*node, &lead);
            }
            at = self.tag(&at, kinds);
            lead = "\n".into();
        }
        let end = self.node();
        for (_, node) in at {
            self.free(node, end);
        }
        Ok(end)
    }

    /// Any words with their tags, so many at least.
    fn tagged(
        &mut self,
        from: usize,
        kinds: &[String],
        least: usize,
    ) -> Result<usize, GenerateError> {
        let end = self.node();
        if least == 0 {
            self.free(from, end);
        }
        let mut at = vec![(0, from)];
        let mut lead = "";
        // One word more than must be: what comes behind it is what came behind the one before.
        let last = least.max(1) + 1;
        for word in 1..=last {
            if self.nodes.len() > MOST {
                return Err(GenerateError::TooLarge(MOST));
            }
            let behind = at.clone();
            for (_, node) in &mut at {
                let begin = self.text(*node, lead);
                let written = self.node();
                self.character(begin, written, b" ");
                self.character(written, written, b" ");
                *node = self.text(written, " ");
            }
            at = self.tag(&at, kinds);
            for (place, (_, node)) in at.iter().enumerate() {
                if word >= least {
                    self.free(*node, end);
                }
                if word == last {
                    self.free(*node, behind[place].1);
                }
            }
            lead = "\n";
        }
        Ok(end)
    }

    /// All nodes that are reached without a byte.
    fn closure(&self, nodes: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open: Vec<usize> = nodes.into_iter().collect();
        while let Some(node) = open.pop() {
            if found.insert(node) {
                open.extend(&self.nodes[node].free);
            }
        }
        found
    }

    /// The subset construction.
    pub fn determined(&self, begin: usize, end: usize) -> Result<Automaton, GenerateError> {
        let mut numbers: BTreeMap<BTreeSet<usize>, u32> = BTreeMap::new();
        let mut open = Vec::new();
        let first = self.closure([begin]);
        numbers.insert(first.clone(), 0);
        open.push(first);
        let mut automaton = Automaton {
            edges: Vec::new(),
            accepting: Vec::new(),
        };
        let mut next = 0;
        while next < open.len() {
            let subset = open[next].clone();
            next += 1;
            automaton.accepting.push(subset.contains(&end));
            let edges: Vec<(Bytes, usize)> = (subset.iter())
                .flat_map(|node| self.nodes[*node].edges.iter().copied())
                .collect();
            // Where a run begins, or has just ended.
            let cuts: BTreeSet<u16> = (edges.iter())
                .flat_map(|((first, last), _)| [u16::from(*first), u16::from(*last) + 1])
                .collect();
            let cuts: Vec<u16> = cuts.into_iter().collect();
            let mut out = Edges::new();
            for pair in cuts.windows(2) {
                let run = (pair[0] as u8, (pair[1] - 1) as u8);
                let reached = (edges.iter())
                    .filter(|((first, last), _)| *first <= run.0 && run.1 <= *last)
                    .map(|(_, to)| *to);
                let reached = self.closure(reached);
                if reached.is_empty() {
                    continue;
                }
                let count = numbers.len() as u32;
                let number = *numbers.entry(reached.clone()).or_insert(count);
                if number == count {
                    open.push(reached);
                }
                out.push((run, number));
            }
            automaton.edges.push(out);
            if open.len() > MOST {
                return Err(GenerateError::TooLarge(MOST));
            }
        }
        Ok(automaton)
    }
}

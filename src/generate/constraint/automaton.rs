//! A shape as a deterministic automaton over bytes. Every text it accepts is whole UTF-8.

use super::graph::Graph;
use super::shape::Shape;
use crate::generate::GenerateError;

/// States an automaton may have; past it a shape is a mistake.
pub(super) const MOST: usize = 50_000;

/// A run of bytes, both ends within.
pub(super) type Bytes = (u8, u8);

/// Where a state goes on: a run of bytes and the state behind it. Sorted, and the runs do not overlap.
pub(super) type Edges = Vec<(Bytes, u32)>;

/// The automaton; state 0 is the start.
#[derive(Debug)]
pub(super) struct Automaton {
    pub edges: Vec<Edges>,
    pub accepting: Vec<bool>,
}

impl Automaton {
    /// Builds it. With `spaced` a single space may stand before the text, which some tokenizers put before a first word.
    pub fn of(shape: &Shape, spaced: bool) -> Result<Self, GenerateError> {
        let mut graph = Graph::default();
        let begin = graph.node();
        let start = if spaced {
            let start = graph.node();
            graph.free(begin, start);
            graph.byte(begin, (b' ', b' '), start);
            start
        } else {
            begin
        };
        let end = graph.shape(shape, start)?;
        graph.determined(begin, end)
    }

    pub fn len(&self) -> usize {
        self.edges.len()
    }

    pub fn is_accepting(&self, state: u32) -> bool {
        self.accepting[state as usize]
    }

    /// The state behind a byte; none where no text of the shape goes on so.
    pub fn step(&self, state: u32, byte: u8) -> Option<u32> {
        let edges = &self.edges[state as usize];
        let place = edges.partition_point(|((_, last), _)| *last < byte);
        let ((first, _), next) = edges.get(place)?;
        (*first <= byte).then_some(*next)
    }

    pub fn accepts(&self, text: &[u8]) -> bool {
        let end = (text.iter()).try_fold(0, |state, byte| self.step(state, *byte));
        end.is_some_and(|state| self.is_accepting(state))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn characters_are_the_well_formed_ones_and_no_control_characters() {
        let automaton = Automaton::of(&Shape::Line, false).unwrap();
        for number in (0..=0x10_ffff).step_by(7).chain(0x7f..0xa1) {
            let Some(character) = char::from_u32(number) else {
                continue;
            };
            let text = character.to_string();
            let wanted = !character.is_control() && character != ' ';
            assert_eq!(automaton.accepts(text.as_bytes()), wanted, "U+{number:x}");
        }
        for bytes in [
            &[0xc0, 0x80][..],
            &[0xed, 0xa0, 0x80],
            &[0xf5, 0x80, 0x80, 0x80],
            &[0x80],
        ] {
            assert!(!automaton.accepts(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn a_space_may_stand_before_the_text_only_where_that_is_wished() {
        let shape = Shape::choice(["yes", "no"]);
        assert!(Automaton::of(&shape, true).unwrap().accepts(b" yes"));
        assert!(Automaton::of(&shape, true).unwrap().accepts(b"no"));
        assert!(!Automaton::of(&shape, true).unwrap().accepts(b"  no"));
        assert!(!Automaton::of(&shape, false).unwrap().accepts(b" no"));
    }

    #[test]
    fn a_shape_of_too_many_states_is_refused_and_not_built() {
        let long = Shape::Repeat {
            item: Box::new(Shape::Text("a".repeat(1000))),
            between: String::new(),
            least: 1000,
            most: Some(1000),
        };
        assert_eq!(
            Automaton::of(&long, false).err(),
            Some(GenerateError::TooLarge(MOST))
        );
    }
}

//! How a vocabulary's tokens are spelt, as a tree of bytes, so that what tokens have in common is looked at once.

use super::automaton::Automaton;
use crate::model::Vocabulary;

/// The bytes of every token that stands for text; markers are left out. Made once for a vocabulary.
#[derive(Debug)]
pub struct Spelling {
    /// Bytes of each id; empty for markers and ids that are not there.
    bytes: Vec<Box<[u8]>>,
    /// The tree in the order in which it is walked.
    tree: Vec<Branch>,
    /// Ids in the order of their bytes.
    ids: Vec<u32>,
    /// The marker behind a text.
    pub(super) end: Option<u32>,
    /// Whether a first word may have a space before it that is not part of the text.
    pub(super) spaced: bool,
}

/// A byte behind those of the branches it hangs on.
#[derive(Debug)]
struct Branch {
    byte: u8,
    /// Bytes before it.
    depth: u32,
    /// The first branch that does not hang on this one.
    behind: u32,
    /// The tokens that end here, a run in [`Spelling::ids`].
    tokens: (u32, u32),
}

impl Spelling {
    /// Reads the spelling of all tokens.
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let bytes: Vec<Box<[u8]>> = (0..vocabulary.size() as u32)
            .map(|id| vocabulary.token_bytes(id).unwrap_or_default().into())
            .collect();
        let mut ids: Vec<u32> = (0..bytes.len() as u32)
            .filter(|id| !bytes[*id as usize].is_empty())
            .collect();
        ids.sort_by(|a, b| bytes[*a as usize].cmp(&bytes[*b as usize]));
        let mut tree: Vec<Branch> = Vec::new();
        // The branches that lead to the token at hand.
        let mut path: Vec<usize> = Vec::new();
        let mut last: &[u8] = &[];
        for (place, id) in ids.iter().enumerate() {
            let own = &bytes[*id as usize];
            let common = (last.iter().zip(own.iter()))
                .take_while(|(a, b)| a == b)
                .count();
            for branch in path.drain(common..) {
                tree[branch].behind = tree.len() as u32;
            }
            for (depth, byte) in own.iter().enumerate().skip(common) {
                path.push(tree.len());
                tree.push(Branch {
                    byte: *byte,
                    depth: depth as u32,
                    behind: 0,
                    tokens: (place as u32, place as u32),
                });
            }
            if let Some(branch) = path.last() {
                tree[*branch].tokens.1 = place as u32 + 1;
            }
            last = own;
        }
        for branch in path {
            tree[branch].behind = tree.len() as u32;
        }
        Self {
            bytes,
            tree,
            ids,
            end: vocabulary.end(),
            spaced: !vocabulary.is_byte_level(),
        }
    }

    /// Ids there are.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Calls `visit` with every token that goes on from a state, and the state behind it.
    pub(super) fn walk(&self, automaton: &Automaton, state: u32, mut visit: impl FnMut(u32, u32)) {
        // The state before each byte of the way.
        let mut states = vec![state];
        let mut place = 0;
        while let Some(branch) = self.tree.get(place) {
            states.truncate(branch.depth as usize + 1);
            match automaton.step(states[branch.depth as usize], branch.byte) {
                Some(next) => {
                    let (first, last) = branch.tokens;
                    for id in &self.ids[first as usize..last as usize] {
                        visit(*id, next);
                    }
                    states.push(next);
                    place += 1;
                }
                None => place = branch.behind as usize,
            }
        }
    }

    /// The state behind a token; none where it does not go on so, or is no text.
    pub(super) fn step(&self, automaton: &Automaton, state: u32, id: u32) -> Option<u32> {
        let bytes = self.bytes.get(id as usize)?;
        if bytes.is_empty() {
            return None;
        }
        (bytes.iter()).try_fold(state, |state, byte| automaton.step(state, *byte))
    }
}

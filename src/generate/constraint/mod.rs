//! Holding a text to a shape while it is written: which tokens may come next, so that whatever is drawn, the whole is
//! of the shape (as outlines does, arXiv 2307.09702, with the tokens still to come counted too).

mod automaton;
mod graph;
mod shape;
mod spelling;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::GenerateError;
use automaton::Automaton;

pub use shape::{Shape, Words};
pub use spelling::Spelling;

/// No number of tokens is enough.
const NEVER: u32 = u32::MAX;
/// Masks kept; a mask has a bit for each token.
const KEPT: usize = 2048;

/// Masks by state and by how many tokens are left.
type Masks = HashMap<(u32, u32), Rc<[u32]>>;

/// A shape over a vocabulary's tokens.
///
/// A token may come next if the shape can still be completed with the tokens that are left. So no text is ever cut in
/// the middle, and there is always a token to draw.
#[derive(Debug)]
pub struct Constraint {
    spelling: Rc<Spelling>,
    automaton: Automaton,
    /// For each state the fewest tokens to a whole text; [`NEVER`] where there is no way.
    needs: Vec<u32>,
    /// For each state the fewest tokens to a whole text that is longer than what there is.
    onward: Vec<u32>,
    /// The most tokens any state needs: with more left than that, all masks of a state are alike.
    most: u32,
    masks: RefCell<Masks>,
}

impl Constraint {
    /// Puts a shape over a vocabulary.
    ///
    /// # Errors
    ///
    /// [`GenerateError::TooLarge`] for a shape of too many states, [`GenerateError::Unspellable`] when no tokens make a
    /// text of it.
    pub fn new(spelling: Rc<Spelling>, shape: &Shape) -> Result<Self, GenerateError> {
        let automaton = Automaton::of(shape, spelling.spaced)?;
        let count = automaton.len();
        // Which states follow on which by a token, turned round; only those that tokens reach.
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); count];
        let mut reached = vec![false; count];
        reached[0] = true;
        let mut open = vec![0u32];
        let mut follow: Vec<u32> = Vec::new();
        while let Some(state) = open.pop() {
            follow.clear();
            spelling.walk(&automaton, state, |_, next| follow.push(next));
            follow.sort_unstable();
            follow.dedup();
            for next in &follow {
                before[*next as usize].push(state);
                if !std::mem::replace(&mut reached[*next as usize], true) {
                    open.push(*next);
                }
            }
        }
        let mut needs = vec![NEVER; count];
        let mut onward = vec![NEVER; count];
        let mut layer: Vec<u32> = (0..count as u32)
            .filter(|state| reached[*state as usize] && automaton.is_accepting(*state))
            .collect();
        for state in &layer {
            needs[*state as usize] = 0;
        }
        let mut most = 0;
        while !layer.is_empty() {
            let mut next = Vec::new();
            for state in &layer {
                for from in &before[*state as usize] {
                    let more = needs[*state as usize] + 1;
                    let onward = &mut onward[*from as usize];
                    *onward = (*onward).min(more);
                    if needs[*from as usize] == NEVER {
                        needs[*from as usize] = more;
                        next.push(*from);
                    }
                }
            }
            if !next.is_empty() {
                most += 1;
            }
            layer = next;
        }
        if needs[0] == NEVER {
            return Err(GenerateError::Unspellable);
        }
        Ok(Self {
            spelling,
            automaton,
            needs,
            onward,
            most,
            masks: RefCell::default(),
        })
    }

    /// The fewest tokens of a whole text.
    pub fn least(&self) -> usize {
        self.needs[0] as usize
    }

    /// Whether a text is of the shape.
    pub fn fits(&self, text: &str) -> bool {
        self.automaton.accepts(text.as_bytes())
    }

    /// Whether the text is whole and nothing can follow in `left` tokens.
    pub(super) fn is_complete(&self, state: u32, left: usize) -> bool {
        self.is_whole(state) && self.onward[state as usize] as usize > left
    }

    /// Whether the text is whole; more may follow.
    pub(super) fn is_whole(&self, state: u32) -> bool {
        self.automaton.is_accepting(state)
    }

    /// The state behind a token; none where the shape forbids it.
    pub(super) fn step(&self, state: u32, id: u32) -> Option<u32> {
        let next = self.spelling.step(&self.automaton, state, id)?;
        (self.needs[next as usize] != NEVER).then_some(next)
    }

    /// Which tokens may come next when `left` may still be written, this one counted: a bit for each of `size` tokens.
    pub(super) fn mask(&self, state: u32, left: usize, size: usize) -> Rc<[u32]> {
        let left = u32::try_from(left).unwrap_or(NEVER).min(self.most + 1);
        let mut masks = self.masks.borrow_mut();
        if let Some(mask) = masks.get(&(state, left)) {
            return mask.clone();
        }
        let mut mask = vec![0u32; size.div_ceil(32)];
        let mut allow = |id: u32| {
            if (id as usize) < size {
                mask[id as usize / 32] |= 1 << (id % 32);
            }
        };
        self.spelling.walk(&self.automaton, state, |id, next| {
            if self.needs[next as usize] < left {
                allow(id);
            }
        });
        if let (true, Some(end)) = (self.is_whole(state), self.spelling.end) {
            allow(end);
        }
        let mask: Rc<[u32]> = mask.into();
        if masks.len() >= KEPT {
            masks.clear();
        }
        masks.insert((state, left), mask.clone());
        mask
    }
}

#[cfg(all(test, feature = "desk"))]
mod tests;

//! Sorting by one routine. The standard library's is compiled anew for every type and every comparison, and each of them
//! takes up to ten kilobytes of a browser's module; what is sorted here is short.

use std::cmp::Ordering;

/// The places of `count` things in the order in which `compare` puts two of them; equals stay as they are.
pub(crate) fn places(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|a, b| compare(*a, *b));
    places
}

/// Puts things in the order in which `compare` puts two of them; equals stay as they are.
pub(crate) fn sort<T>(things: &mut Vec<T>, compare: &dyn Fn(&T, &T) -> Ordering) {
    let places = places(things.len(), &|a, b| compare(&things[a], &things[b]));
    let mut taken: Vec<Option<T>> = things.drain(..).map(Some).collect();
    things.extend(places.into_iter().filter_map(|place| taken[place].take()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_stay_as_they_are() {
        let mut things = vec![(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd')];
        sort(&mut things, &|a, b| a.0.cmp(&b.0));
        assert_eq!(things, [(1, 'b'), (1, 'd'), (2, 'a'), (2, 'c')]);
        assert_eq!(places(3, &|a, b| b.cmp(&a)), [2, 1, 0]);
        assert_eq!(places(0, &|_, _| Ordering::Equal), [0; 0]);
    }
}

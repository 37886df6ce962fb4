//! The beginning and the end of a long list.

/// An item with its number from 1, or how many are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a, T> {
    /// This one.
    Item(usize, &'a T),
    /// So many between.
    Left(usize),
}

/// All of `items`, or of more than `most` the first and last ones.
pub(super) fn excerpt<T>(items: &[T], most: usize) -> impl Iterator<Item = Part<'_, T>> {
    let (head, left) = if items.len() > most {
        (most - most / 2, items.len() - most)
    } else {
        (items.len(), 0)
    };
    let numbered = |from: usize, to: usize| {
        let numbered = items[from..to].iter().enumerate();
        numbered.map(move |(at, item)| Part::Item(from + at + 1, item))
    };
    let gap = (left > 0).then_some(Part::Left(left));
    numbered(0, head)
        .chain(gap)
        .chain(numbered(head + left, items.len()))
}

#[cfg(test)]
mod tests {
    use super::{Part, excerpt};

    #[test]
    fn the_middle_of_a_long_list_is_left_out() {
        let all: Vec<Part<'_, char>> = excerpt(&['a', 'b', 'c'], 3).collect();
        assert_eq!(
            all,
            [Part::Item(1, &'a'), Part::Item(2, &'b'), Part::Item(3, &'c')]
        );
        let some: Vec<Part<'_, char>> = excerpt(&['a', 'b', 'c', 'd', 'e'], 3).collect();
        assert_eq!(
            some,
            [
                Part::Item(1, &'a'),
                Part::Item(2, &'b'),
                Part::Left(2),
                Part::Item(5, &'e')
            ]
        );
        assert_eq!(excerpt::<char>(&[], 3).count(), 0);
    }
}

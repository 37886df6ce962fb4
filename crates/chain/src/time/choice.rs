//! The few points in time that one local time can be.

use jiff::Timestamp;

/// How many are kept. A zone's rules give two, the offsets of the sets around and of the set itself three.
const MAX: usize = 4;

/// At least one point in time, ascending, without repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    points: [Timestamp; MAX],
    count: usize,
}

impl Choice {
    /// One point.
    pub(super) fn one(at: Timestamp) -> Self {
        Self {
            points: [at; MAX],
            count: 1,
        }
    }

    /// The points of `all`; none where there are none.
    pub(super) fn of(all: impl IntoIterator<Item = Timestamp>) -> Option<Self> {
        let mut all = all.into_iter();
        let first = Self::one(all.next()?);
        Some(all.fold(first, Self::or))
    }

    /// These points and one more. Of more than four the outermost stay, so that the bounds hold.
    pub(super) fn or(mut self, at: Timestamp) -> Self {
        let index = self.as_slice().partition_point(|point| *point < at);
        if self.as_slice().get(index) == Some(&at) {
            return self;
        }
        if self.count == MAX {
            match index {
                0 => self.points[0] = at,
                MAX => self.points[MAX - 1] = at,
                _ => {}
            }
            return self;
        }
        self.points.copy_within(index..self.count, index + 1);
        self.points[index] = at;
        self.count += 1;
        self
    }

    /// The points, ascending.
    pub(super) fn as_slice(&self) -> &[Timestamp] {
        &self.points[..self.count]
    }

    /// The first point.
    pub(super) fn earliest(&self) -> Timestamp {
        self.points[0]
    }

    /// The last point.
    pub(super) fn latest(&self) -> Timestamp {
        self.points[self.count - 1]
    }

    /// Without the points that `keep` rejects; but where it rejects all of them, what it judges by is wrong, and all stay.
    pub(super) fn narrow(&mut self, keep: impl Fn(Timestamp) -> bool) {
        if let Some(kept) = Self::of(self.as_slice().iter().copied().filter(|at| keep(*at))) {
            *self = kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn points_are_sorted_and_the_outermost_stay() {
        let choice = Choice::of([5, 3, 5, 9, 4, 6, 1, 10].map(at)).unwrap();
        assert_eq!(choice.earliest(), at(1));
        assert_eq!(choice.latest(), at(10));
        assert!(choice.as_slice().is_sorted());
        assert_eq!(Choice::of([]), None);
    }

    #[test]
    fn a_judge_that_rejects_everything_is_not_believed() {
        let mut choice = Choice::of([3, 5].map(at)).unwrap();
        choice.narrow(|point| point > at(9));
        assert_eq!(choice.as_slice(), [3, 5].map(at));
        choice.narrow(|point| point > at(3));
        assert_eq!(choice.as_slice(), [5].map(at));
    }
}

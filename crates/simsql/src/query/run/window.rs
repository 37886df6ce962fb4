//! Window functions: for each row a value out of its partition.

use std::collections::BTreeMap;

use crate::message::Failure;
use crate::query::evaluate::{Env, Run};
use crate::query::key::{Key, key};
use crate::query::plan::{Fold, Frame, Row, Window, WindowFunction};
use crate::query::run::sort;
use crate::value::Value;

/// A partition: places of its rows in order, with the keys they are ordered by.
struct Partition {
    places: Vec<usize>,
    keys: Vec<Vec<Key>>,
}

impl Partition {
    /// Whether the row at `at` is equal in order to the one before it.
    fn is_peer(&self, at: usize) -> bool {
        at > 0 && self.keys[at] == self.keys[at - 1]
    }

    /// Where the peers of the row at `at` end.
    fn peers_end(&self, at: usize) -> usize {
        let mut end = at + 1;
        while end < self.places.len() && self.is_peer(end) {
            end += 1;
        }
        end
    }
}

impl Run<'_> {
    /// The values of all window functions for each row.
    pub(super) fn windows(
        &mut self,
        windows: &[Window],
        rows: &[Row],
        env: &Env<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let mut values = vec![vec![Value::Null; windows.len()]; rows.len()];
        for (column, window) in windows.iter().enumerate() {
            for partition in self.partitions(window, rows, env)? {
                let found = self.window(window, &partition, rows, env)?;
                for (place, value) in partition.places.iter().zip(found) {
                    values[*place][column] = value;
                }
            }
        }
        Ok(values)
    }

    fn partitions(
        &mut self,
        window: &Window,
        rows: &[Row],
        env: &Env<'_>,
    ) -> Result<Vec<Partition>, Failure> {
        let mut found: BTreeMap<Vec<Key>, Vec<(Vec<Key>, usize)>> = BTreeMap::new();
        for (place, row) in rows.iter().enumerate() {
            self.step()?;
            let here = Env::within(row, env);
            let mut partition = Vec::new();
            for scalar in &window.partition {
                let value = self.scalar(scalar, &here)?;
                partition.push(key(&value, scalar.sql_type, scalar.collation.unwrap_or_default()));
            }
            let mut order = Vec::new();
            for item in &window.order {
                let value = self.scalar(&item.operand, &here)?;
                let collation = item.operand.collation.unwrap_or_default();
                order.push(key(&value, item.operand.sql_type, collation));
            }
            found.entry(partition).or_default().push((order, place));
        }
        let directions: Vec<bool> = window.order.iter().map(|item| item.descending).collect();
        Ok(found
            .into_values()
            .map(|mut members| {
                members.sort_by(|(a, _), (b, _)| sort::compare(a, b, &directions));
                let (keys, places) = members.into_iter().unzip();
                Partition { places, keys }
            })
            .collect())
    }

    /// The values for the rows of a partition, in its order.
    fn window(
        &mut self,
        window: &Window,
        partition: &Partition,
        rows: &[Row],
        env: &Env<'_>,
    ) -> Result<Vec<Value>, Failure> {
        let count = partition.places.len();
        match &window.function {
            WindowFunction::RowNumber => Ok(numbers((1..=count).collect())),
            WindowFunction::Rank => {
                let mut rank = 0;
                let ranks = (0..count).map(|at| {
                    if !partition.is_peer(at) {
                        rank = at + 1;
                    }
                    rank
                });
                Ok(numbers(ranks.collect()))
            }
            WindowFunction::DenseRank => {
                let mut rank = 0;
                let ranks = (0..count).map(|at| {
                    rank += usize::from(!partition.is_peer(at));
                    rank
                });
                Ok(numbers(ranks.collect()))
            }
            WindowFunction::Tile(tiles) => {
                let Value::Integer(tiles @ 1..) = self.scalar(tiles, env)? else {
                    return Err(Failure::new(1014, &[]));
                };
                let tiles = usize::try_from(tiles).unwrap_or(usize::MAX);
                // The first `count % tiles` tiles have one row more.
                let (size, larger) = (count / tiles, count % tiles);
                let tile = |at: usize| {
                    if at < larger * (size + 1) {
                        at / (size + 1) + 1
                    } else {
                        (at - larger) / size.max(1) + 1
                    }
                };
                Ok(numbers((0..count).map(tile).collect()))
            }
            _ => self.framed(window, partition, rows, env),
        }
    }

    /// Functions that look at other rows.
    fn framed(
        &mut self,
        window: &Window,
        partition: &Partition,
        rows: &[Row],
        env: &Env<'_>,
    ) -> Result<Vec<Value>, Failure> {
        if let WindowFunction::Aggregate(aggregate) = &window.function {
            let running = window.frame == Frame::ToPeers || window.frame == Frame::Rows(None, Some(0));
            if running && aggregate.fold == Fold::Count && aggregate.operand.is_none() {
                // The commonest one, without walking the frame for each row.
                let ends = (0..partition.places.len()).map(|at| frame_of(window.frame, partition, at).1);
                return Ok(numbers(ends.collect()));
            }
        }
        let mut values = Vec::with_capacity(partition.places.len());
        let mut last: Option<((usize, usize), Value)> = None;
        for (at, place) in partition.places.iter().enumerate() {
            self.step()?;
            let here = Env::within(&rows[*place], env);
            let frame = frame_of(window.frame, partition, at);
            let at_frame = |place: usize| &rows[partition.places[place]];
            let value = match &window.function {
                WindowFunction::Shift {
                    operand,
                    distance,
                    backward,
                    default,
                } => {
                    let Value::Integer(distance @ 0..) = self.scalar(distance, &here)? else {
                        return Err(Failure::new(8730, &[]));
                    };
                    let distance = usize::try_from(distance).unwrap_or(usize::MAX);
                    let target = if *backward {
                        at.checked_sub(distance)
                    } else {
                        at.checked_add(distance).filter(|to| *to < partition.places.len())
                    };
                    match (target, default) {
                        (Some(target), _) => self.scalar(operand, &Env::within(at_frame(target), env))?,
                        (None, Some(default)) => self.scalar(default, &here)?,
                        (None, None) => Value::Null,
                    }
                }
                WindowFunction::FirstValue(operand) if frame.0 < frame.1 => {
                    self.scalar(operand, &Env::within(at_frame(frame.0), env))?
                }
                WindowFunction::LastValue(operand) if frame.0 < frame.1 => {
                    self.scalar(operand, &Env::within(at_frame(frame.1 - 1), env))?
                }
                WindowFunction::Aggregate(aggregate) => match &last {
                    Some((same, value)) if *same == frame => value.clone(),
                    _ => {
                        let members: Vec<&Row> = (frame.0..frame.1).map(at_frame).collect();
                        self.aggregate(aggregate, &members, env)?
                    }
                },
                _ => Value::Null,
            };
            last = Some((frame, value.clone()));
            values.push(value);
        }
        Ok(values)
    }
}

/// Where the frame of the row at `at` begins and ends.
fn frame_of(frame: Frame, partition: &Partition, at: usize) -> (usize, usize) {
    let count = partition.places.len();
    let at_distance = |distance: i64| {
        let place = i64::try_from(at).unwrap_or(i64::MAX).saturating_add(distance);
        usize::try_from(place.max(0)).unwrap_or(usize::MAX)
    };
    match frame {
        Frame::Whole => (0, count),
        Frame::ToPeers => (0, partition.peers_end(at)),
        Frame::Rows(from, to) => {
            let from = from.map_or(0, at_distance).min(count);
            let to = match to {
                None => count,
                Some(to) => at_distance(to.saturating_add(1)).min(count),
            };
            (from, to.max(from))
        }
    }
}

fn numbers(found: Vec<usize>) -> Vec<Value> {
    found
        .into_iter()
        .map(|number| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
        .collect()
}

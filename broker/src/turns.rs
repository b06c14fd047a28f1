//! Whose turn it is among several queues: earlier queues more often, none of them never.
//!
//! A smooth weighted round robin without randomness, among queues and within each among its
//! lanes. Which of them hold something is the caller's knowledge.

use crate::beside;

/// How much oftener than the lanes beside it a queue's own messages come.
const OWN_WEIGHT: i64 = 8;

/// Turns among queues. The first weighs twice the second, and so on, up to eight times.
/// Lanes share the turns of the queue they lie beside, and a queue's own messages come
/// eight times as often as those of a lane.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    /// The queue of each place, counted from 0.
    queue_of: Vec<usize>,
    credit: Vec<i64>,
    own_weight: Vec<i64>,
    own_credit: Vec<i64>,
}

impl Turns {
    pub(crate) fn new(queues: &[String]) -> Self {
        let mut names: Vec<&str> = Vec::new();
        let mut queue_of = Vec::with_capacity(queues.len());
        for name in queues.iter().map(|queue| beside(queue)) {
            let place = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            });
            queue_of.push(place);
        }
        let own_weight = queues.iter().map(|queue| if beside(queue) == queue { OWN_WEIGHT } else { 1 }).collect();
        Self { credit: vec![0; names.len()], own_credit: vec![0; queues.len()], queue_of, own_weight }
    }

    /// Picks among the places that `holds` says hold something.
    pub(crate) fn pick(&mut self, holds: impl Fn(usize) -> bool) -> Option<usize> {
        let Self { queue_of, credit, own_weight, own_credit } = self;
        let mut held = (0..queue_of.len()).filter(|place| holds(*place));
        let (first, second) = (held.next()?, held.next());
        let Some(second) = second else {
            // A turn among one leaves all credit as it is.
            return Some(first);
        };
        let held: Vec<usize> = [first, second].into_iter().chain(held).collect();
        let count = credit.len();
        let queue = turn(credit, count, |queue| {
            held.iter().any(|place| queue_of[*place] == queue).then(|| 1 << (count - 1 - queue).min(3))
        })?;
        let places = own_credit.len();
        turn(own_credit, places, |place| (queue_of[place] == queue && held.contains(&place)).then(|| own_weight[place]))
    }
}

/// Whose turn it is among those that have a weight.
fn turn(credit: &mut [i64], count: usize, weight: impl Fn(usize) -> Option<i64>) -> Option<usize> {
    let (mut best, mut total) = (None::<usize>, 0);
    for index in 0..count {
        let Some(weight) = weight(index) else { continue };
        credit[index] += weight;
        total += weight;
        if best.is_none_or(|best| credit[index] > credit[best]) {
            best = Some(index);
        }
    }
    if let Some(best) = best {
        credit[best] -= total;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(queues: &[&str]) -> Turns {
        Turns::new(&queues.iter().map(|queue| (*queue).to_owned()).collect::<Vec<_>>())
    }

    fn count(turns: &mut Turns, picks: usize, places: usize) -> Vec<usize> {
        let picks: Vec<_> = (0..picks).filter_map(|_| turns.pick(|_| true)).collect();
        (0..places).map(|place| picks.iter().filter(|pick| **pick == place).count()).collect()
    }

    #[test]
    fn earlier_queues_come_more_often_and_none_starves() {
        assert_eq!(count(&mut turns(&["io.high", "io.normal", "io.low"]), 7, 3), [4, 2, 1]);
    }

    #[test]
    fn what_lies_beside_a_queue_shares_its_turns_and_never_starves() {
        let mut turns = turns(&["io.high", "io.high.t00", "io.normal", "io.normal.t00", "io.normal.t01"]);
        assert_eq!(count(&mut turns, 270, 5), [160, 20, 72, 9, 9]);
    }

    #[test]
    fn a_lone_queue_gets_each_turn() {
        let mut turns = turns(&["a", "b", "io.low.t01"]);
        assert!((0..5).all(|_| turns.pick(|queue| queue == 2) == Some(2)));
        assert_eq!(turns.pick(|_| false), None);
    }
}

//! Whose turn it is among several queues: earlier queues more often, none of them never.
//!
//! A smooth weighted round robin without randomness. Which queues hold something is the
//! caller's knowledge.

/// Turns among `n` queues. The first weighs twice the second, and so on, up to eight times.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    credit: Vec<i64>,
}

impl Turns {
    pub(crate) fn new(queues: usize) -> Self {
        Self { credit: vec![0; queues] }
    }

    /// Picks among the queues that `holds` says hold something.
    pub(crate) fn pick(&mut self, holds: impl Fn(usize) -> bool) -> Option<usize> {
        let count = self.credit.len();
        let (mut best, mut total) = (None::<usize>, 0);
        for index in (0..count).filter(|index| holds(*index)) {
            let weight = 1 << (count - 1 - index).min(3);
            self.credit[index] += weight;
            total += weight;
            if best.is_none_or(|best| self.credit[index] > self.credit[best]) {
                best = Some(index);
            }
        }
        if let Some(best) = best {
            self.credit[best] -= total;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_queues_come_more_often_and_none_starves() {
        let mut turns = Turns::new(3);
        let picks: Vec<_> = (0..7).filter_map(|_| turns.pick(|_| true)).collect();
        assert_eq!([0, 1, 2].map(|queue| picks.iter().filter(|pick| **pick == queue).count()), [4, 2, 1]);
    }

    #[test]
    fn a_lone_queue_gets_each_turn() {
        let mut turns = Turns::new(3);
        assert!((0..5).all(|_| turns.pick(|queue| queue == 2) == Some(2)));
        assert_eq!(turns.pick(|_| false), None);
    }
}

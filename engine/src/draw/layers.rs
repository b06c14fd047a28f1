//! The order of boxes: each arrow leads from a layer to a later one, and layers are sorted
//! so that few arrows cross.
//!
//! Boxes lie on even layers, the labels of arrows on odd ones. An arrow that passes a layer
//! has a joint there.

use super::picture::Picture;

/// Sweeps over the layers; more change little.
const SWEEPS: usize = 12;

/// What stands in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// The box of that number.
    Box(usize),
    /// A place that the arrow of that number passes; its label stands at one of them.
    Joint { arrow: usize, labelled: bool },
}

/// A picture in layers.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    pub(super) items: Vec<Item>,
    /// Items of each layer, in order.
    pub(super) layers: Vec<Vec<usize>>,
    /// For each arrow the items it passes from its upper end to its lower, ends included.
    /// Empty for an arrow that leads to its own box.
    pub(super) chains: Vec<Vec<usize>>,
    /// Arrows that lead up.
    pub(super) upwards: Vec<bool>,
    /// For each item those above it, and those below.
    pub(super) above: Vec<Vec<usize>>,
    pub(super) below: Vec<Vec<usize>>,
}

/// Puts a picture in layers.
pub(super) fn layers(picture: &Picture) -> Layers {
    let upwards = upwards(picture);
    let depths = depths(picture, &upwards);
    let count = depths.iter().max().map_or(0, |deepest| deepest * 2 + 1);
    let mut made = Layers {
        items: (0..picture.boxes.len()).map(Item::Box).collect(),
        layers: vec![Vec::new(); count],
        chains: Vec::new(),
        upwards,
        above: Vec::new(),
        below: Vec::new(),
    };
    for (number, depth) in depths.iter().enumerate() {
        made.layers[depth * 2].push(number);
    }
    for (number, arrow) in picture.arrows.iter().enumerate() {
        if arrow.from == arrow.to {
            made.chains.push(Vec::new());
            continue;
        }
        let (upper, lower) = if made.upwards[number] { (arrow.to, arrow.from) } else { (arrow.from, arrow.to) };
        let label_at = if made.upwards[number] { depths[lower] * 2 - 1 } else { depths[upper] * 2 + 1 };
        let mut chain = vec![upper];
        for layer in depths[upper] * 2 + 1..depths[lower] * 2 {
            let labelled = layer == label_at && !arrow.label.is_empty();
            made.items.push(Item::Joint { arrow: number, labelled });
            made.layers[layer].push(made.items.len() - 1);
            chain.push(made.items.len() - 1);
        }
        chain.push(lower);
        made.chains.push(chain);
    }
    made.join();
    made.sort();
    made
}

/// Which arrows lead back up: those to a box that is still being followed.
fn upwards(picture: &Picture) -> Vec<bool> {
    let mut upwards = vec![false; picture.arrows.len()];
    let mut state = vec![0_u8; picture.boxes.len()];
    for root in 0..picture.boxes.len() {
        if state[root] != 0 {
            continue;
        }
        state[root] = 1;
        let mut stack = vec![(root, 0)];
        while let Some((node, next)) = stack.pop() {
            let Some((number, arrow)) =
                picture.arrows.iter().enumerate().skip(next).find(|(_, arrow)| arrow.from == node)
            else {
                state[node] = 2;
                continue;
            };
            stack.push((node, number + 1));
            match state[arrow.to] {
                0 => {
                    state[arrow.to] = 1;
                    stack.push((arrow.to, 0));
                }
                1 => upwards[number] = true,
                _ => {}
            }
        }
    }
    upwards
}

/// How deep each box lies: below everything that leads to it.
fn depths(picture: &Picture, upwards: &[bool]) -> Vec<usize> {
    let mut depths = vec![0; picture.boxes.len()];
    for _ in 0..picture.boxes.len() {
        let mut changed = false;
        for (arrow, _) in picture.arrows.iter().zip(upwards).filter(|(_, upwards)| !**upwards) {
            if depths[arrow.to] <= depths[arrow.from] {
                depths[arrow.to] = depths[arrow.from] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    depths
}

impl Layers {
    fn join(&mut self) {
        self.above = vec![Vec::new(); self.items.len()];
        self.below = vec![Vec::new(); self.items.len()];
        for chain in &self.chains {
            for pair in chain.windows(2) {
                self.below[pair[0]].push(pair[1]);
                self.above[pair[1]].push(pair[0]);
            }
        }
    }

    /// Sorts each layer by where the items it is joined to stand, down and up in turns, and
    /// keeps the best order.
    fn sort(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            let order: Vec<usize> =
                if down { (1..self.layers.len()).collect() } else { (0..self.layers.len().max(1) - 1).rev().collect() };
            for layer in order {
                let beside = if down { layer - 1 } else { layer + 1 };
                self.sort_layer(layer, beside, down);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    fn sort_layer(&mut self, layer: usize, beside: usize, down: bool) {
        let mut position = vec![0_usize; self.items.len()];
        for (place, item) in self.layers[beside].iter().enumerate() {
            position[*item] = place;
        }
        let joined = if down { &self.above } else { &self.below };
        let mut keyed: Vec<(f64, usize, usize)> = Vec::new();
        for (place, item) in self.layers[layer].iter().enumerate() {
            let others = &joined[*item];
            let sum: usize = others.iter().map(|other| position[*other]).sum();
            let key = if others.is_empty() { place as f64 } else { sum as f64 / others.len() as f64 };
            keyed.push((key, place, *item));
        }
        keyed.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
        self.layers[layer] = keyed.into_iter().map(|(_, _, item)| item).collect();
    }

    fn crossings(&self) -> usize {
        let mut position = vec![0_usize; self.items.len()];
        for layer in &self.layers {
            layer.iter().enumerate().for_each(|(place, item)| position[*item] = place);
        }
        let mut crossings = 0;
        for layer in &self.layers {
            let mut ways: Vec<(usize, usize)> = Vec::new();
            for item in layer {
                ways.extend(self.below[*item].iter().map(|below| (position[*item], position[*below])));
            }
            for (index, left) in ways.iter().enumerate() {
                let crosses = |right: &&(usize, usize)| {
                    (left.0 < right.0 && left.1 > right.1) || (left.0 > right.0 && left.1 < right.1)
                };
                crossings += ways[index + 1..].iter().filter(crosses).count();
            }
        }
        crossings
    }
}

//! Where boxes and joints stand, in pixels.

use super::layers::{Item, Layers};
use super::picture::{Box, Kind, Picture};

/// Between two items of a layer.
const GAP: f64 = 28.0;
/// Above and below a layer of boxes.
const LAYER_GAP: f64 = 16.0;
/// Sweeps that move items below and above each other.
const SWEEPS: usize = 160;
/// The width of a letter of a title, and of other texts.
const LETTERS: (f64, f64) = (8.0, 6.6);

/// A rectangle by its middle.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn top(&self) -> f64 {
        self.y - self.height / 2.0
    }

    pub(super) fn bottom(&self) -> f64 {
        self.y + self.height / 2.0
    }
}

/// A picture in its place.
pub(super) struct Placed {
    /// Of each item.
    pub(super) areas: Vec<Area>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The width of a text.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * LETTERS.1
}

/// How large a box is.
pub(super) fn size(drawn: &Box) -> (f64, f64) {
    match drawn.kind {
        Kind::Start | Kind::End => (28.0, 28.0),
        Kind::Fail => (text_width(&drawn.title) + 40.0, 28.0),
        _ => {
            let title = drawn.title.chars().count() as f64 * LETTERS.0;
            let widest = drawn.lines.iter().map(|line| text_width(line)).fold(title, f64::max);
            (widest.max(72.0) + 36.0, 34.0 + 16.0 * drawn.lines.len() as f64)
        }
    }
}

/// The room an arrow takes that leads to its own box.
pub(super) fn loop_width(label: &str) -> f64 {
    48.0 + text_width(label)
}

/// Places everything; the upper left corner is the origin.
pub(super) fn place(picture: &Picture, layers: &Layers) -> Placed {
    let mut areas: Vec<Area> = layers.items.iter().map(|item| area(picture, *item)).collect();
    // An arrow to its own box is drawn at its right: both sides get the room, so that the
    // box stays in the middle.
    let mut widths: Vec<f64> = areas.iter().map(|area| area.width).collect();
    for arrow in picture.arrows.iter().filter(|arrow| arrow.from == arrow.to) {
        widths[arrow.from] += 2.0 * loop_width(&arrow.label);
    }
    for layer in &layers.layers {
        let mut x = 0.0;
        for item in layer {
            areas[*item].x = x + widths[*item] / 2.0;
            x += widths[*item] + GAP;
        }
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let count = layers.layers.len();
        for step in 0..count {
            let layer = if down { step } else { count - 1 - step };
            align(layers, &layers.layers[layer], &widths, &mut areas);
        }
    }
    let mut y = 0.0;
    for (number, layer) in layers.layers.iter().enumerate() {
        let tallest = layer.iter().map(|item| areas[*item].height).fold(0.0, f64::max);
        let height = if number % 2 == 0 { tallest } else { tallest + 2.0 * LAYER_GAP };
        layer.iter().for_each(|item| areas[*item].y = y + height / 2.0);
        y += height;
    }
    let left = areas.iter().zip(&widths).map(|(area, width)| area.x - width / 2.0).fold(f64::INFINITY, f64::min);
    areas.iter_mut().for_each(|area| area.x -= left);
    let right = areas.iter().zip(&widths).map(|(area, width)| area.x + width / 2.0).fold(0.0, f64::max);
    Placed { areas, width: right, height: y }
}

fn area(picture: &Picture, item: Item) -> Area {
    let (width, height) = match item {
        Item::Box(number) => size(&picture.boxes[number]),
        Item::Joint { arrow, labelled: true } => (text_width(&picture.arrows[arrow].label) + 10.0, 18.0),
        Item::Joint { .. } => (4.0, 8.0),
    };
    Area { width, height, ..Area::default() }
}

/// Moves the items of a layer towards those they are joined to, without changing their order.
fn align(layers: &Layers, layer: &[usize], widths: &[f64], areas: &mut [Area]) {
    let wanted: Vec<f64> = layer.iter().map(|item| wanted(layers, *item, areas)).collect();
    let apart = |left: usize, right: usize| (widths[layer[left]] + widths[layer[right]]) / 2.0 + GAP;
    let mut rightwards = wanted.clone();
    for index in 1..layer.len() {
        rightwards[index] = rightwards[index].max(rightwards[index - 1] + apart(index - 1, index));
    }
    let mut leftwards = wanted;
    for index in (1..layer.len()).rev() {
        leftwards[index - 1] = leftwards[index - 1].min(leftwards[index] - apart(index - 1, index));
    }
    // Both keep the order and the gaps, so their middle does.
    for (index, item) in layer.iter().enumerate() {
        areas[*item].x = f64::midpoint(rightwards[index], leftwards[index]);
    }
}

/// The middle of what an item is joined to; joints pull each other harder, so that long
/// arrows are straight.
fn wanted(layers: &Layers, item: usize, areas: &[Area]) -> f64 {
    let is_joint = |item: usize| matches!(layers.items[item], Item::Joint { .. });
    let (mut sum, mut weight) = (0.0, 0.0);
    for other in layers.above[item].iter().chain(&layers.below[item]) {
        let pull = if is_joint(item) && is_joint(*other) { 4.0 } else { 1.0 };
        sum += areas[*other].x * pull;
        weight += pull;
    }
    if weight == 0.0 { areas[item].x } else { sum / weight }
}

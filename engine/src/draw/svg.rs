//! A graph as SVG.

use std::fmt::Write;

use super::layers::{Item, Layers, layers};
use super::picture::{Arrow, Box, Kind, Picture, pictures};
use super::place::{Area, Placed, loop_width, place, text_width};
use crate::graph::Graph;

/// Arrows of a picture; more are a ball of wool, and take long to lay out.
const ARROWS_MAX: usize = 1_500;
const MARGIN: f64 = 24.0;
const HEADING: f64 = 34.0;

const STYLE: &str = "\
text{font:12px ui-sans-serif,system-ui,Helvetica,Arial,sans-serif;fill:#57606a;text-anchor:middle}\
.name{font-weight:600;font-size:13px;fill:#1f2328}\
.heading{font-weight:600;font-size:15px;fill:#1f2328;text-anchor:start}\
.box{fill:#fff;stroke:#c7ccd1}\
.way{fill:none;stroke:#6e7781;stroke-width:1.4}\
.error{stroke:#cf222e;stroke-dasharray:5 4}\
.label{fill:#424a53}\
.paper{fill:#f6f8fa}";

/// A picture of the graph, and below it of each graph it calls.
#[must_use]
pub fn svg(graph: &Graph) -> String {
    let pictures = pictures(graph);
    let several = pictures.len() > 1;
    let mut body = String::new();
    let (mut width, mut y) = (0.0_f64, MARGIN);
    for picture in &pictures {
        if several {
            _ = writeln!(
                body,
                "<text class=\"heading\" x=\"{MARGIN}\" y=\"{}\">{}</text>",
                round(y + 14.0),
                escaped(&picture.name)
            );
            y += HEADING;
            width = width.max(MARGIN + picture.name.chars().count() as f64 * 9.0);
        }
        if picture.arrows.len() > ARROWS_MAX {
            let text = format!("{} nodes and {} ways are too many to draw", picture.boxes.len(), picture.arrows.len());
            _ = writeln!(body, "<text class=\"heading\" x=\"{MARGIN}\" y=\"{}\">{text}</text>", round(y + 14.0));
            width = width.max(MARGIN + text_width(&text) * 1.4);
            y += HEADING;
            continue;
        }
        let layers = layers(picture);
        let placed = place(picture, &layers);
        _ = writeln!(body, "<g transform=\"translate({MARGIN} {})\">", round(y));
        draw(&mut body, picture, &layers, &placed);
        body += "</g>\n";
        width = width.max(placed.width + MARGIN);
        y += placed.height + MARGIN;
    }
    let (width, height) = (round(width + MARGIN), round(y));
    let name = escaped(&graph.name);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{name}</title>\n<style>{STYLE}</style>\n{MARKERS}\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n{body}</svg>\n"
    )
}

// Readers of SVG differ on markers that turn themselves around, so there are two of each.
const MARKERS: &str = "<defs>\
<marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#6e7781\"/></marker>\
<marker id=\"tail\" viewBox=\"0 0 8 8\" refX=\"0\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M8 0L0 4L8 8z\" fill=\"#6e7781\"/></marker>\
<marker id=\"tip-error\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#cf222e\"/></marker>\
<marker id=\"tail-error\" viewBox=\"0 0 8 8\" refX=\"0\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M8 0L0 4L8 8z\" fill=\"#cf222e\"/></marker>\
</defs>\n";

fn draw(out: &mut String, picture: &Picture, layers: &Layers, placed: &Placed) {
    let ports = Ports::of(layers, placed);
    for (number, arrow) in picture.arrows.iter().enumerate() {
        draw_arrow(out, arrow, number, layers, placed, &ports);
    }
    for (item, area) in layers.items.iter().zip(&placed.areas) {
        match item {
            Item::Box(number) => draw_box(out, &picture.boxes[*number], area),
            Item::Joint { arrow, labelled: true } => {
                draw_label(out, &picture.arrows[*arrow].label, (area.x, area.y));
            }
            Item::Joint { .. } => {}
        }
    }
}

/// Where arrows leave and enter boxes: side by side, in the order of where they lead.
struct Ports {
    /// For each arrow the x of its upper and its lower end.
    ends: Vec<(f64, f64)>,
}

impl Ports {
    fn of(layers: &Layers, placed: &Placed) -> Self {
        let mut ends = vec![(0.0, 0.0); layers.chains.len()];
        for (item, area) in placed.areas.iter().enumerate() {
            let is_box = matches!(layers.items[item], Item::Box(_));
            let mut below: Vec<(f64, usize)> = Vec::new();
            let mut above: Vec<(f64, usize)> = Vec::new();
            for (arrow, chain) in layers.chains.iter().enumerate() {
                if let (Some(first), Some(last), true) = (chain.first(), chain.last(), is_box) {
                    if *first == item {
                        below.push((placed.areas[chain[1]].x, arrow));
                    }
                    if *last == item {
                        above.push((placed.areas[chain[chain.len() - 2]].x, arrow));
                    }
                }
            }
            for (x, arrow) in spread(below, area) {
                ends[arrow].0 = x;
            }
            for (x, arrow) in spread(above, area) {
                ends[arrow].1 = x;
            }
        }
        Self { ends }
    }
}

fn spread(mut towards: Vec<(f64, usize)>, area: &Area) -> Vec<(f64, usize)> {
    towards.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    let count = towards.len() as f64;
    let step = (area.width * 0.7 / count).min(22.0);
    let place =
        |(index, (_, arrow)): (usize, (f64, usize))| (area.x + (index as f64 - (count - 1.0) / 2.0) * step, arrow);
    towards.into_iter().enumerate().map(place).collect()
}

fn draw_arrow(out: &mut String, arrow: &Arrow, number: usize, layers: &Layers, placed: &Placed, ports: &Ports) {
    let (class, kind) = if arrow.on_error { ("way error", "-error") } else { ("way", "") };
    let chain = &layers.chains[number];
    let (Some(first), Some(last)) = (chain.first(), chain.last()) else {
        return draw_loop(out, arrow, &placed.areas[arrow.from], (class, kind));
    };
    let (start_x, end_x) = ports.ends[number];
    let mut at = (start_x, placed.areas[*first].bottom());
    let mut path = format!("M{} {}", round(at.0), round(at.1));
    // A lone joint without a label is nothing to bend for.
    let joints = match &chain[1..chain.len() - 1] {
        [_] if arrow.label.is_empty() => &[],
        joints => joints,
    };
    for item in joints {
        let area = &placed.areas[*item];
        curve(&mut path, at, (area.x, area.top()));
        _ = write!(path, "V{}", round(area.bottom()));
        at = (area.x, area.bottom());
    }
    curve(&mut path, at, (end_x, placed.areas[*last].top()));
    let marker = if layers.upwards[number] { "marker-start=\"url(#tail" } else { "marker-end=\"url(#tip" };
    _ = writeln!(out, "<path class=\"{class}\" d=\"{path}\" {marker}{kind})\"/>");
}

fn curve(path: &mut String, from: (f64, f64), to: (f64, f64)) {
    let middle = round(f64::midpoint(from.1, to.1));
    _ = write!(path, "C{} {middle} {} {middle} {} {}", round(from.0), round(to.0), round(to.0), round(to.1));
}

/// An arrow to its own box, at its right.
fn draw_loop(out: &mut String, arrow: &Arrow, area: &Area, (class, kind): (&str, &str)) {
    let (right, y) = (area.x + area.width / 2.0, area.y);
    let out_x = right + 34.0;
    let path = format!(
        "M{} {}C{} {} {} {} {} {}",
        round(right),
        round(y + 9.0),
        round(out_x),
        round(y + 20.0),
        round(out_x),
        round(y - 20.0),
        round(right),
        round(y - 9.0)
    );
    _ = writeln!(out, "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#tip{kind})\"/>");
    if !arrow.label.is_empty() {
        let middle = right + loop_width(&arrow.label) / 2.0 + 14.0;
        draw_label(out, &arrow.label, (middle, y));
    }
}

fn draw_label(out: &mut String, label: &str, (x, y): (f64, f64)) {
    let width = text_width(label) + 8.0;
    _ = writeln!(
        out,
        "<rect class=\"paper\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"18\"/><text class=\"label\" x=\"{}\" y=\"{}\">{}</text>",
        round(x - width / 2.0),
        round(y - 9.0),
        round(width),
        round(x),
        round(y + 4.0),
        escaped(label)
    );
}

fn draw_box(out: &mut String, drawn: &Box, area: &Area) {
    let (left, top) = (round(area.x - area.width / 2.0), round(area.top()));
    let (x, width, height) = (round(area.x), round(area.width), round(area.height));
    let title = escaped(&drawn.title);
    match drawn.kind {
        Kind::Start => {
            _ = writeln!(
                out,
                "<circle cx=\"{x}\" cy=\"{}\" r=\"9\" fill=\"#1f2328\"><title>start</title></circle>",
                round(area.bottom() - 9.0)
            );
        }
        Kind::End => {
            let y = round(area.top() + 11.0);
            _ = writeln!(
                out,
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"10\" fill=\"#fff\" stroke=\"#1f2328\" stroke-width=\"1.6\"><title>end</title></circle><circle cx=\"{x}\" cy=\"{y}\" r=\"5.5\" fill=\"#1f2328\"/>"
            );
        }
        Kind::Fail => {
            _ = writeln!(
                out,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"14\" fill=\"#ffebe9\" stroke=\"#cf222e\"/><text x=\"{x}\" y=\"{}\">✕ {title}</text>",
                round(area.y + 4.0)
            );
        }
        kind => {
            let rounding = if matches!(kind, Kind::Ask | Kind::Wait) { 14 } else { 6 };
            let color = color(kind);
            _ = writeln!(
                out,
                "<rect class=\"box\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"{rounding}\" stroke=\"{color}\"/>"
            );
            if kind == Kind::Graph {
                _ = writeln!(
                    out,
                    "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"4\" fill=\"none\" stroke=\"{color}\" stroke-opacity=\"0.5\"/>",
                    round(left + 3.0),
                    round(top + 3.0),
                    round(width - 6.0),
                    round(height - 6.0)
                );
            }
            _ = writeln!(
                out,
                "<circle cx=\"{}\" cy=\"{}\" r=\"4\" fill=\"{color}\"/>",
                round(left + 13.0),
                round(top + 16.0)
            );
            _ = writeln!(out, "<text class=\"name\" x=\"{x}\" y=\"{}\">{title}</text>", round(top + 21.0));
            for (line, index) in drawn.lines.iter().zip(1_u8..) {
                let y = round(top + 21.0 + 16.0 * f64::from(index));
                _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\">{}</text>", escaped(line));
            }
        }
    }
}

fn color(kind: Kind) -> &'static str {
    match kind {
        Kind::Tool => "#0969da",
        Kind::Chat => "#8250df",
        Kind::Ask => "#bf8700",
        Kind::Wait => "#9a6700",
        Kind::Graph => "#1a7f37",
        Kind::Notify => "#0550ae",
        _ => "#6e7781",
    }
}

/// To a tenth, so that equal pictures are equal texts.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            // What XML has no way to write.
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

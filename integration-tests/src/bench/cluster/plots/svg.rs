//! A line chart as SVG, legible on light and on dark ground: axes with units, ticks, a legend
//! beside the lines. It knows nothing of what is drawn.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 34.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 74.0;
/// Height of a line of the legend.
const ROW: f64 = 18.0;
/// About as many ticks on a linear axis.
const TICKS: f64 = 5.0;

/// Colours that differ for those who see few, on white and on black; shapes differ as well.
const STYLE: &str = "
  svg { color-scheme: light dark; font: 13px system-ui, sans-serif; }
  .ground { fill: #ffffff; } .ink { fill: #1f2328; } .soft { fill: #59636e; }
  .grid { stroke: #d1d9e0; } .axis { stroke: #59636e; }
  .s0 { stroke: #0550ae; fill: #0550ae; } .s1 { stroke: #bc4c00; fill: #bc4c00; } .s2 { stroke: #116329; fill: #116329; }
  .s3 { stroke: #8250df; fill: #8250df; } .s4 { stroke: #a40e26; fill: #a40e26; } .s5 { stroke: #57606a; fill: #57606a; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; } .ink { fill: #f0f6fc; } .soft { fill: #9198a1; }
    .grid { stroke: #2d333b; } .axis { stroke: #9198a1; }
    .s0 { stroke: #79c0ff; fill: #79c0ff; } .s1 { stroke: #ffa657; fill: #ffa657; } .s2 { stroke: #56d364; fill: #56d364; }
    .s3 { stroke: #d2a8ff; fill: #d2a8ff; } .s4 { stroke: #ff7b72; fill: #ff7b72; } .s5 { stroke: #c9d1d9; fill: #c9d1d9; }
  }
  .line { fill: none; stroke-width: 2.5; } .dashed { stroke-dasharray: 7 5; }
";

/// An axis.
pub(super) struct Axis {
    label: &'static str,
    /// The base of its logarithm, where it has one.
    base: Option<f64>,
}

impl Axis {
    /// From zero on, in equal steps.
    pub(super) fn linear(label: &'static str) -> Self {
        Self { label, base: None }
    }

    /// In powers of that base.
    pub(super) fn log(label: &'static str, base: f64) -> Self {
        Self { label, base: Some(base) }
    }

    fn scale(&self, values: impl Iterator<Item = f64>) -> Scale {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| value.is_finite()) {
            least = least.min(value);
            most = most.max(value);
        }
        let most = if most > 0.0 { most } else { 1.0 };
        match self.base {
            None => {
                let step = round_step(most / TICKS);
                let count = (most / step).ceil();
                let ticks = (0..=count as u32).map(|tick| f64::from(tick) * step).collect();
                Scale { least: 0.0, most: count * step, base: None, ticks }
            }
            Some(base) => {
                let power = |value: f64| value.max(1e-6).ln() / base.ln();
                // Nearly a power is one.
                let first = (power(least.min(most)) + 1e-9).floor() as i32;
                let last = ((power(most) - 1e-9).ceil() as i32).max(first + 1);
                let ticks = (first..=last).map(|power| base.powi(power)).collect();
                Scale { least: base.powi(first), most: base.powi(last), base: Some(base), ticks }
            }
        }
    }
}

/// A line.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) dashed: bool,
}

/// A chart.
pub(super) struct Chart {
    pub(super) title: String,
    /// Stands at the foot, small.
    pub(super) note: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
}

struct Scale {
    least: f64,
    most: f64,
    base: Option<f64>,
    ticks: Vec<f64>,
}

impl Scale {
    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        match self.base {
            None => (value - self.least) / (self.most - self.least),
            Some(_) => (value.max(self.least) / self.least).ln() / (self.most / self.least).ln(),
        }
    }
}

impl Chart {
    /// The chart as the text of an SVG file.
    pub(super) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = self.x.scale(points().map(|point| point.0));
        let y = self.y.scale(points().map(|point| point.1));
        let legend = ROW * self.series.len() as f64;
        let height = HEIGHT + legend;
        let title = escaped(&self.title);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n<rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\n\
             <text class=\"ink\" x=\"{LEFT}\" y=\"26\" font-size=\"16\" font-weight=\"600\">{title}</text>\n"
        );
        self.axes(&mut svg, &x, &y);
        for (number, series) in self.series.iter().enumerate() {
            line(&mut svg, number, series, &x, &y);
            let (middle, end) = (HEIGHT + ROW * number as f64 - 6.0, LEFT + 34.0);
            let class = class_of(number, series);
            let _ = write!(
                svg,
                "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{middle:.1}\" x2=\"{end}\" y2=\"{middle:.1}\"/>\n{}\
                 <text class=\"ink\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                mark(number, LEFT + 17.0, middle),
                end + 10.0,
                middle + 4.5,
                escaped(&series.name),
            );
        }
        let _ = writeln!(
            svg,
            "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"end\">{}</text>\n</svg>",
            WIDTH - RIGHT,
            height - 8.0,
            escaped(&self.note)
        );
        svg
    }

    fn axes(&self, svg: &mut String, x: &Scale, y: &Scale) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for &tick in &y.ticks {
            let at = bottom - y.place(tick) * (bottom - TOP);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>\
                 <text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                at + 4.5,
                number(tick),
            );
        }
        for &tick in &x.ticks {
            let at = LEFT + x.place(tick) * (right - LEFT);
            let _ = writeln!(
                svg,
                "<line class=\"axis\" x1=\"{at:.1}\" y1=\"{bottom}\" x2=\"{at:.1}\" y2=\"{:.1}\"/>\
                 <text class=\"soft\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 5.0,
                bottom + 20.0,
                number(tick),
            );
        }
        let (across, down) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
        let _ = writeln!(
            svg,
            "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\"/>\n\
             <text class=\"ink\" x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
             <text class=\"ink\" transform=\"translate(18 {down:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            bottom + 40.0,
            escaped(self.x.label),
            escaped(self.y.label),
        );
    }
}

fn class_of(number: usize, series: &Series) -> String {
    format!("line s{}{}", number % 6, if series.dashed { " dashed" } else { "" })
}

fn line(svg: &mut String, number: usize, series: &Series, x: &Scale, y: &Scale) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let finite = series.points.iter().filter(|point| point.0.is_finite() && point.1.is_finite());
    let places: Vec<(f64, f64)> = finite
        .map(|point| (LEFT + x.place(point.0) * (right - LEFT), bottom - y.place(point.1) * (bottom - TOP)))
        .collect();
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(svg, "<polyline class=\"{}\" points=\"{}\"/>", class_of(number, series), path.join(" "));
    for (x, y) in places {
        svg.push_str(&mark(number, x, y));
    }
}

/// A point: circle, square or diamond in turn.
fn mark(number: usize, x: f64, y: f64) -> String {
    let class = format!("s{}", number % 6);
    match number % 3 {
        0 => format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>\n"),
        1 => format!("<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\"/>\n", x - 3.5, y - 3.5),
        _ => format!(
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\" transform=\"rotate(45 {x:.1} {y:.1})\"/>\n",
            x - 3.5,
            y - 3.5
        ),
    }
}

/// 1, 2 or 5 times a power of ten, no less than that.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= least).unwrap_or(10.0 * power)
}

/// A number as people read it: `12 000`, `0.5`.
fn number(value: f64) -> String {
    if value != 0.0 && value < 1.0 {
        return format!("{}", (value * 1_000.0).round() / 1_000.0);
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_value_lies_within_the_chart() {
        for (axis, values) in [(Axis::linear("l"), vec![0.0, 3.0, 4_711.0]), (Axis::log("g", 10.0), vec![0.2, 99.0])] {
            let scale = axis.scale(values.iter().copied());
            assert!(values.iter().all(|value| (0.0..=1.0).contains(&scale.place(*value))), "{}", axis.label);
        }
    }

    #[test]
    fn powers_of_the_base_are_ticks_and_nothing_is_beyond_them() {
        let scale = Axis::log("runs", 4.0).scale([1.0, 64.0, 1_024.0].into_iter());
        assert_eq!(scale.ticks, [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0]);
    }

    #[test]
    fn what_stands_in_a_chart_is_escaped() {
        let series = vec![Series { name: "a < b & c".to_owned(), points: vec![(1.0, 2.0)], dashed: false }];
        let chart = Chart {
            title: "\"t\"".to_owned(),
            note: String::new(),
            x: Axis::linear("x"),
            y: Axis::linear("y"),
            series,
        };
        let svg = chart.svg();
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains("&quot;t&quot;"), "{svg}");
        assert_eq!(number(12_345.0), "12\u{202f}345");
    }
}

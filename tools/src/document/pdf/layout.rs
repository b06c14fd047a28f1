//! From glyphs at places to words and lines. A PDF need not hold blanks or line ends; they
//! follow from the gaps. Distances are measured along and across the writing direction, so
//! that turned and mirrored text reads the same.

use pdf_extract::{MediaBox, OutputDev, OutputError, Transform};

/// A gap between glyphs that parts words, in heights of the font.
const WORD_GAP: f64 = 0.16;
/// A step across the writing direction that begins a line.
const LINE_STEP: f64 = 0.5;
/// A step that begins a paragraph.
const PARAGRAPH_STEP: f64 = 1.75;
/// How much larger or smaller than the line before a heading's letters are.
const HEADING_CHANGE: f64 = 0.08;

/// Collects the text of one page.
#[derive(Default)]
pub(super) struct Layout {
    /// What was written so far.
    pub(super) text: String,
    last: Option<Glyph>,
}

/// A glyph on its line.
struct Glyph {
    direction: (f64, f64),
    begin: f64,
    end: f64,
    across: f64,
    height: f64,
}

impl Layout {
    fn part(&mut self, glyph: &Glyph) {
        let Some(last) = &self.last else { return };
        let turned = last.direction.0 * glyph.direction.0 + last.direction.1 * glyph.direction.1 < 0.9;
        let height = last.height.max(glyph.height);
        let step = (glyph.across - last.across).abs() / height;
        let gap = (glyph.begin - last.end) / height;
        let other_size = (last.height - glyph.height).abs() / height > HEADING_CHANGE;
        if turned || step > PARAGRAPH_STEP || (step > LINE_STEP && other_size) {
            self.text.push_str("\n\n");
        } else if step > LINE_STEP {
            self.text.push('\n');
        } else if !(-1.0..=WORD_GAP).contains(&gap) && !self.text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
    }
}

impl OutputDev for Layout {
    fn begin_page(&mut self, _: u32, _: &MediaBox, _: Option<(f64, f64, f64, f64)>) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn output_character(
        &mut self,
        at: &Transform,
        width: f64,
        _: f64,
        size: f64,
        glyph: &str,
    ) -> Result<(), OutputError> {
        let (along, up) = (at.m11.hypot(at.m12), at.m21.hypot(at.m22));
        let height = (size * up).abs();
        if !(along > 0.0 && height > 0.0 && height.is_finite() && at.m31.is_finite() && at.m32.is_finite()) {
            self.text.extend(glyph.chars().filter(|c| !c.is_control()));
            return Ok(());
        }
        let direction = (at.m11 / along * size.signum(), at.m12 / along * size.signum());
        let begin = at.m31 * direction.0 + at.m32 * direction.1;
        let across = at.m32 * direction.0 - at.m31 * direction.1;
        let end = begin + width * size.abs() * along;
        let place = Glyph { direction, begin, end, across, height };
        let blank = glyph.chars().all(char::is_whitespace);
        if blank && self.text.ends_with(char::is_whitespace) {
            return Ok(());
        }
        self.part(&place);
        if !(blank && self.text.ends_with(char::is_whitespace)) {
            self.text.extend(glyph.chars().filter(|c| !c.is_control()));
        }
        self.last = Some(place);
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes glyphs of width 0.5 in a font of ten units, each text from its place on.
    fn page(texts: &[(f64, f64, &str)], turn: impl Fn(f64, f64) -> Transform) -> String {
        let mut layout = Layout::default();
        for (x, y, text) in texts {
            for (number, c) in (0_u32..).zip(text.chars()) {
                layout
                    .output_character(&turn(x + 5.0 * f64::from(number), *y), 0.5, 0.0, 10.0, &c.to_string())
                    .unwrap();
            }
        }
        layout.text
    }

    #[test]
    fn gaps_become_blanks_and_lines_however_the_page_is_turned() {
        let texts = [
            (0.0, 100.0, "Fares"),
            (0.0, 70.0, "A"),
            (8.0, 70.0, "car"),
            (23.0, 70.0, "s"),
            (0.0, 58.0, "cost "),
            (27.0, 58.0, "9"),
        ];
        let said = "Fares\n\nA cars\ncost 9";
        assert_eq!(page(&texts, |x, y| Transform::row_major(1.0, 0.0, 0.0, 1.0, x, y)), said);
        assert_eq!(page(&texts, |x, y| Transform::row_major(1.0, 0.0, 0.0, -1.0, x, -y)), said);
        assert_eq!(page(&texts, |x, y| Transform::row_major(0.0, 1.0, -1.0, 0.0, -y, x)), said);
    }

    #[test]
    fn what_has_no_place_is_still_read() {
        assert_eq!(page(&[(0.0, 0.0, "ab")], |_, _| Transform::row_major(f64::NAN, 0.0, 0.0, 1.0, 0.0, 0.0)), "ab");
    }
}

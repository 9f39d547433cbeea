//! Colors and markers of the encodings in plots.

use plotters::coord::Shift;
use plotters::prelude::*;

/// Shape of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
    Pentagon,
    Ring,
}

/// Color and marker of an encoding's line. The marker distinguishes lines without relying on color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    pub color: RGBColor,
    pub marker: Marker,
}

/// The colors of Okabe and Ito, which are distinguishable with all kinds of color vision
/// (<https://jfly.uni-koeln.de/color/>), without yellow, which is too light on white.
const COLORS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x44, 0x44, 0x44),
];

const MARKERS: [Marker; 7] = [
    Marker::Circle,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
    Marker::TriangleDown,
    Marker::Pentagon,
    Marker::Ring,
];

/// Encodings whose style is the same in every plot.
const KNOWN: [&str; 7] = ["expe", "exqpe", "rope", "sinusoidal", "alibi", "learned", "none"];

/// Returns the styles of encodings. Encodings in [`KNOWN`] have fixed styles; the others get unused ones.
pub(super) fn styles(positions: &[&str]) -> Vec<Style> {
    let known = |position: &str| KNOWN.iter().position(|name| *name == position);
    let mut unused =
        (0..KNOWN.len()).filter(|&index| !positions.contains(&KNOWN[index])).chain(KNOWN.len()..);
    positions
        .iter()
        .map(|position| {
            let index = known(position).or_else(|| unused.next()).unwrap_or_default();
            // When all colors are used, each is combined with the next marker.
            let shape = index + index / COLORS.len();
            Style { color: COLORS[index % COLORS.len()], marker: MARKERS[shape % MARKERS.len()] }
        })
        .collect()
}

/// Radius of a point.
const RADIUS: i32 = 9;

/// Draws a point with a white outline, so that overlapping points can be distinguished.
pub(super) fn draw_marker<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    at: (i32, i32),
    style: Style,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    match style.marker {
        Marker::Circle | Marker::Ring => {
            area.draw(&Circle::new(at, RADIUS + 3, WHITE.filled()))?;
            area.draw(&Circle::new(at, RADIUS, style.color.filled()))?;
            if style.marker == Marker::Ring {
                area.draw(&Circle::new(at, RADIUS - 5, WHITE.filled()))?;
            }
        }
        Marker::Square => regular(area, at, style.color, 4, 45.0)?,
        Marker::Diamond => regular(area, at, style.color, 4, 0.0)?,
        Marker::Triangle => regular(area, at, style.color, 3, 0.0)?,
        Marker::TriangleDown => regular(area, at, style.color, 3, 180.0)?,
        Marker::Pentagon => regular(area, at, style.color, 5, 0.0)?,
    }
    Ok(())
}

/// Draws a regular polygon with a corner rotated by `turn` degrees from the top.
fn regular<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    (x, y): (i32, i32),
    color: RGBColor,
    corners: u32,
    turn: f64,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    // Polygons get a larger radius, because they look smaller than a circle with the same radius.
    let polygon = |radius: f64| -> Vec<(i32, i32)> {
        (0..corners)
            .map(|corner| {
                let angle = (turn + 360.0 * f64::from(corner) / f64::from(corners)).to_radians();
                let (sin, cos) = angle.sin_cos();
                (x + (radius * sin).round() as i32, y - (radius * cos).round() as i32)
            })
            .collect()
    };
    let radius = f64::from(RADIUS) * 1.3;
    area.draw(&Polygon::new(polygon(radius + 5.0), WHITE.filled()))?;
    area.draw(&Polygon::new(polygon(radius), color.filled()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_looks_different() {
        let names: Vec<String> = (0..20).map(|index| format!("rope-{index}")).collect();
        let mut positions: Vec<&str> = names.iter().map(String::as_str).collect();
        positions.insert(3, "rope");
        positions.insert(9, "expe");
        let styles = styles(&positions);
        for (index, style) in styles.iter().enumerate() {
            assert!(!styles[..index].contains(style), "{index}");
        }
        assert_eq!(styles[3].color, COLORS[2]);
        assert_eq!(styles[9].color, COLORS[0]);
    }
}

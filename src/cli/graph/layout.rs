//! Where things are in a picture: four columns, a band for each group.
//!
//! Nothing measures a font here: texts are in one whose letters are all as wide, no wider
//! than [`LETTER`] allows, so that a text never leaves its box.

use super::picture::{Picture, Shown};

/// The widest letter of monospaced fonts of 13 px, in tenths of a pixel.
const LETTER: usize = 79;
/// From one line of text to the next.
pub(super) const LINE: usize = 18;
/// Around the text of a box.
pub(super) const PAD: usize = 10;
/// Between boxes of a column.
const GAP: usize = 14;
/// Between columns, for the arrows.
const ALLEY: usize = 84;
/// Around everything, and inside of a band.
pub(super) const MARGIN: usize = 20;
/// Above the boxes of a band: its name.
const HEAD: usize = 36;
/// Above the bands: what the columns are.
pub(super) const TOP: usize = 48;
/// Below the lines of a real server: the bar of its share.
pub(super) const BAR: usize = 14;
/// So many letters of a list stand on a line.
const LONG: usize = 26;

/// A box with its lines.
pub(super) struct Box {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) lines: Vec<String>,
}

impl Box {
    /// The middle of its height.
    pub(super) fn middle(&self) -> usize {
        self.y + self.height / 2
    }

    /// Where an arrow leaves it.
    pub(super) fn right(&self) -> usize {
        self.x + self.width
    }
}

/// The boxes of a group, column by column: doors, marks, services, real servers.
pub(super) struct Band {
    pub(super) y: usize,
    pub(super) height: usize,
    pub(super) columns: [Vec<Box>; 4],
}

/// The whole picture.
pub(super) struct Layout {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Where the columns begin.
    pub(super) columns: [usize; 4],
    pub(super) bands: Vec<Band>,
}

impl Layout {
    /// Places all that a picture shows.
    pub(super) fn of(picture: &Picture) -> Self {
        let lines: Vec<_> = picture.groups.iter().map(lines).collect();
        let width = |column: usize| {
            let all = lines.iter().flat_map(|group: &[Vec<Vec<String>>; 4]| &group[column]);
            let longest = all.flatten().map(|line| line.chars().count()).max().unwrap_or(0);
            longest.max(8) * LETTER / 10 + 1 + 2 * PAD
        };
        let widths = [width(0), width(1), width(2), width(3)];
        let mut columns = [2 * MARGIN; 4];
        for column in 1..4 {
            columns[column] = columns[column - 1] + widths[column - 1] + ALLEY;
        }
        let mut y = TOP;
        let mut bands = Vec::new();
        for group in lines {
            let band = band(group, y, columns, widths);
            y += band.height + MARGIN;
            bands.push(band);
        }
        Self { width: columns[3] + widths[3] + 2 * MARGIN, height: y, columns, bands }
    }
}

fn band(lines: [Vec<Vec<String>>; 4], y: usize, columns: [usize; 4], widths: [usize; 4]) -> Band {
    let extra = [0, 0, 0, BAR];
    let tall = |column: usize, lines: &[String]| lines.len() * LINE + 2 * PAD - 4 + extra[column];
    let stack = |column: usize, boxes: &[Vec<String>]| {
        let heights: usize = boxes.iter().map(|lines| tall(column, lines)).sum();
        heights + boxes.len().saturating_sub(1) * GAP
    };
    let tallest = lines.iter().enumerate().map(|(column, boxes)| stack(column, boxes)).max();
    let inner = tallest.unwrap_or(0);
    let mut at = 0;
    let columns = lines.map(|boxes| {
        let (column, x) = (at, columns[at]);
        at += 1;
        let mut top = y + HEAD + (inner - stack(column, &boxes)) / 2;
        let place = |lines: Vec<String>| {
            let height = tall(column, &lines);
            let placed = Box { x, y: top, width: widths[column], height, lines };
            top += height + GAP;
            placed
        };
        boxes.into_iter().map(place).collect()
    });
    Band { y, height: HEAD + inner + MARGIN, columns }
}

/// What stands in the boxes of a group.
fn lines(group: &Shown) -> [Vec<Vec<String>>; 4] {
    let headed = |head: &str, rest: Vec<String>| -> Vec<String> {
        std::iter::once(head.to_owned()).chain(rest).collect()
    };
    let doors = group
        .doors
        .iter()
        .map(|door| headed(&door.vip, wrapped(door.ports.iter().map(String::as_str))));
    let services = group.services.iter().map(|it| headed(&it.name, wrapped(it.about.split(' '))));
    let servers = group.servers.iter().map(|server| {
        headed(&server.name, std::iter::once(server.about()).chain(server.busy()).collect())
    });
    [
        doors.collect(),
        group.marks.iter().map(|mark| vec![mark.clone()]).collect(),
        services.collect(),
        servers.collect(),
    ]
}

/// Words, as many on a line as it takes.
fn wrapped<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= LONG => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_wrapped_and_a_long_word_has_a_line_of_its_own() {
        let long = "x".repeat(40);
        let words = ["80/tcp", "443/tcp", "8000-8100/udp", &long, "1/tcp"];
        assert_eq!(wrapped(words.into_iter()), ["80/tcp 443/tcp", "8000-8100/udp", &long, "1/tcp"]);
    }
}

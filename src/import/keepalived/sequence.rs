//! `~SEQ(var, start, step, end) REST` and `~LST(var, value, …) REST`: the rest of a line
//! once for each value.

/// The most values that one of them may have.
const MAX_VALUES: usize = 65_536;

/// What the rest of a line is repeated for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sequence<'a> {
    /// The names that get values.
    pub(super) names: Vec<&'a str>,
    rounds: Rounds<'a>,
    /// What is repeated.
    pub(super) rest: &'a str,
}

/// What the values are made of. None is made before its turn: a sequence within another is
/// read once for each value of that, be it only to find that it has too many.
#[derive(Debug, PartialEq, Eq)]
enum Rounds<'a> {
    Numbers { start: i64, step: i64, count: usize, hexadecimal: bool },
    Listed(Vec<Vec<&'a str>>),
}

impl<'a> Sequence<'a> {
    /// Whether a line is one, be it well written or not.
    pub(super) fn begins(line: &str) -> bool {
        line.starts_with("~SEQ") || line.starts_with("~LST")
    }

    /// The values of each round, as many as there are names.
    pub(super) fn rounds(&self) -> Box<dyn Iterator<Item = Vec<String>> + '_> {
        match &self.rounds {
            &Rounds::Numbers { start, step, count, hexadecimal } => {
                let value = move |turn: i64| match (start + turn * step, hexadecimal) {
                    (value, true) => vec![format!("{value:x}")],
                    (value, false) => vec![value.to_string()],
                };
                Box::new((0..).take(count).map(value))
            }
            Rounds::Listed(rounds) => {
                let missing = || std::iter::repeat(String::new());
                Box::new(rounds.iter().map(move |values| {
                    let values = values.iter().map(|&value| value.to_owned());
                    values.chain(missing()).take(self.names.len()).collect()
                }))
            }
        }
    }

    /// Reads one.
    pub(super) fn read(line: &'a str) -> Option<Self> {
        let inner = line.get(4..)?;
        if line.starts_with("~LST") {
            return list(inner);
        }
        match inner.strip_prefix('x') {
            Some(inner) => numbers(inner, true),
            None => numbers(inner, false),
        }
    }
}

/// `(var, start, step, end) REST`; step and start may be left out.
fn numbers(text: &str, hexadecimal: bool) -> Option<Sequence<'_>> {
    let (inside, rest) = text.trim_start().strip_prefix('(')?.split_once(')')?;
    let mut words = inside.split(',').map(str::trim);
    let name = words.next().filter(|name| !name.is_empty())?;
    let numbers = words.map(number).collect::<Option<Vec<i64>>>()?;
    let (start, step, end) = match *numbers {
        [end] => (if end < 0 { -1 } else { 1 }, if end < 1 { -1 } else { 1 }, end),
        [start, end] => (start, if start <= end { 1 } else { -1 }, end),
        [start, step, end] => (start, step, end),
        _ => return None,
    };
    let backwards = (start < end && step < 0) || (start > end && step > 0);
    if step == 0 || backwards || (hexadecimal && (start < 0 || end < 0)) {
        return None;
    }
    let count = usize::try_from((end - start) / step).ok()? + 1;
    let rounds = Rounds::Numbers { start, step, count, hexadecimal };
    (count <= MAX_VALUES).then_some(Sequence { names: vec![name], rounds, rest: rest.trim_start() })
}

fn number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let value = match digits.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => digits.parse::<u32>(),
    };
    value.ok().map(|value| sign * i64::from(value))
}

/// `(var, value, …) REST`, or `({var, var}, {value, value}, …) REST`.
fn list(text: &str) -> Option<Sequence<'_>> {
    let (names, mut text) = set(text.trim_start().strip_prefix('(')?)?;
    if names.iter().any(|name| name.is_empty()) {
        return None;
    }
    let mut rounds = Vec::new();
    while let Some(behind) = text.strip_prefix(',') {
        let (values, after) = set(behind)?;
        if values.len() > names.len() || rounds.len() == MAX_VALUES {
            return None;
        }
        rounds.push(values);
        text = after;
    }
    let rest = text.strip_prefix(')')?.trim_start();
    (!rounds.is_empty()).then_some(Sequence { names, rounds: Rounds::Listed(rounds), rest })
}

/// One word, or several in braces, and what stands behind them.
fn set(text: &str) -> Option<(Vec<&str>, &str)> {
    let text = text.trim_start();
    if let Some(inner) = text.strip_prefix('{') {
        let (inside, rest) = inner.split_once('}')?;
        return Some((inside.split(',').map(str::trim).collect(), rest.trim_start()));
    }
    let end = text.find([',', ')'])?;
    Some((vec![text[..end].trim()], &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &str) -> Option<String> {
        let sequence = Sequence::read(line)?;
        Some(sequence.rounds().map(|round| round.join("+")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn numbers_run_from_the_first_to_the_last() {
        for (line, wanted) in [
            ("~SEQ(N, 0, 3) x", "0 1 2 3"),
            ("~SEQ(N, 3) x", "1 2 3"),
            ("~SEQ(N, -2) x", "-1 -2"),
            ("~SEQ(N, 3, 1) x", "3 2 1"),
            ("~SEQ (N,168,2,172) x", "168 170 172"),
            ("~SEQx(N, 0x90, 0x10, 0xc0) x", "90 a0 b0 c0"),
        ] {
            assert_eq!(values(line).as_deref(), Some(wanted), "{line}");
        }
        let sequence = Sequence::read("~SEQ(N, 2) 10.0.0.${N} 80").expect("one");
        assert_eq!((sequence.names, sequence.rest), (vec!["N"], "10.0.0.${N} 80"));
    }

    #[test]
    fn lists_may_set_several_names() {
        assert_eq!(values("~LST(A, 1, 2) x").as_deref(), Some("1 2"));
        assert_eq!(values("~LST({A, B}, {10,1},{20}) x").as_deref(), Some("10+1 20+"));
    }

    #[test]
    fn what_is_not_well_written_or_has_no_end_is_refused() {
        for line in [
            "~SEQ(N) x",
            "~SEQ(N, 1, 0, 5) x",
            "~SEQ(N, 1, -1, 5) x",
            "~SEQ(N, 1, 100000) x",
            "~SEQ(N, x) x",
            "~SEQ N",
            "~SEQx(N, -3) x",
            "~LST(A) x",
            "~LST(A, 1",
            "~LST({A, 1) x",
            "~LST(A, {1,2}) x",
            "~LST",
        ] {
            assert_eq!(Sequence::read(line), None, "{line}");
        }
    }
}

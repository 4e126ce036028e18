//! `$NAME=VALUE`, and what stands where `$NAME` or `${NAME}` is written.
//!
//! What is put in may name others, which are looked up then and not before. A value that
//! names itself would never end, so there is a bound.

use std::collections::BTreeMap;
use std::rc::Rc;

/// How often names may be replaced in one line.
const MAX_ROUNDS: usize = 200;

/// The most bytes that a line may grow to; keepalived reads 1023 (`MAXBUF`, `lib/parser.h`).
const MAX_LINE: usize = 4_096;

/// What names stand for; several lines where there are several.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    values: BTreeMap<String, Rc<[String]>>,
}

/// A line whose names are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replaced {
    pub(super) first: String,
    /// Where a name stands for several lines: those behind the first, which is not one of
    /// these any more. They are not copied, for who reads them may not want them all.
    further: Option<Rc<[String]>>,
}

impl Replaced {
    fn one(first: String) -> Self {
        Self { first, further: None }
    }

    /// The line, where it is one.
    pub(super) fn single(&self) -> Option<&str> {
        self.further.is_none().then_some(self.first.as_str())
    }

    /// All lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        let further = self.further.iter().flat_map(|lines| lines[1..].iter());
        std::iter::once(self.first.as_str()).chain(further.map(String::as_str))
    }
}

/// Why a line could not be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endless {
    /// It names something that names itself.
    Rounds,
    /// It grows too long.
    Length,
}

/// A definition as a line writes it.
pub(super) struct Definition<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    /// Whether the following lines belong to it.
    pub(super) goes_on: bool,
}

impl Definitions {
    /// Those that are always there, and print: a folder is only of use to a script.
    pub(super) fn standard() -> Self {
        let standard = [("_HASH", "#"), ("_BANG", "!"), ("_PWD", "."), ("_INSTANCE", "_")];
        let values = standard.map(|(name, value)| (name.to_owned(), Rc::from([value.to_owned()])));
        Self { values: values.into() }
    }

    pub(super) fn set(&mut self, name: &str, lines: Vec<String>) {
        self.values.insert(name.to_owned(), lines.into());
    }

    /// Replaces all names in a line that are known. What has several lines is put in only
    /// at the end of a line; the answer is more than one line then.
    pub(super) fn replace(&self, line: &str) -> Result<Replaced, Endless> {
        let mut text = line.to_owned();
        let mut at = 0;
        for _ in 0..MAX_ROUNDS {
            let Some(dollar) = text[at..].find('$').map(|found| at + found) else {
                return Ok(Replaced::one(text));
            };
            let known = name(&text[dollar..]).and_then(|(name, length)| {
                let lines = self.values.get(name)?;
                (lines.len() == 1 || dollar + length == text.len()).then_some((lines, length))
            });
            let Some((lines, length)) = known else {
                at = dollar + 1;
                continue;
            };
            let first = lines.first().map_or("", String::as_str);
            if text.len() + first.len() > MAX_LINE {
                return Err(Endless::Length);
            }
            text.replace_range(dollar..dollar + length, first);
            if lines.len() > 1 {
                return Ok(Replaced { first: text, further: Some(Rc::clone(lines)) });
            }
            // What was put in may name others: it is looked at again.
            at = dollar;
        }
        Err(Endless::Rounds)
    }
}

/// `$NAME=VALUE`, where a line is that.
pub(super) fn definition(line: &str) -> Option<Definition<'_>> {
    let rest = line.strip_prefix('$')?;
    let end = rest.find(|letter: char| !is_of_name(letter))?;
    let name = &rest[..end];
    if name.is_empty() || name.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    let value = rest[end..].strip_prefix('=')?.trim_start();
    match value.strip_suffix('\\') {
        Some(value) => Some(Definition { name, value: value.trim_end(), goes_on: true }),
        None => Some(Definition { name, value, goes_on: false }),
    }
}

/// The name at the beginning of `$NAME` or `${NAME}`, and how long that is altogether.
fn name(text: &str) -> Option<(&str, usize)> {
    let rest = &text[1..];
    let (inner, braces) = match rest.strip_prefix('{') {
        Some(inner) => (inner, true),
        None => (rest, false),
    };
    let end = inner.find(|letter: char| !is_of_name(letter)).unwrap_or(inner.len());
    let name = &inner[..end];
    if name.is_empty() || name.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    match inner[end..].chars().next() {
        Some('}') if braces => Some((name, end + 3)),
        None | Some(' ' | '\t' | ',' | ')') if !braces => Some((name, end + 1)),
        _ => None,
    }
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definitions(all: &[(&str, &[&str])]) -> Definitions {
        let mut definitions = Definitions::standard();
        for (name, lines) in all {
            definitions.set(name, lines.iter().map(|&line| line.to_owned()).collect());
        }
        definitions
    }

    fn replaced(known: &Definitions, line: &str) -> Result<Vec<String>, Endless> {
        known.replace(line).map(|replaced| replaced.lines().map(str::to_owned).collect())
    }

    #[test]
    fn names_are_replaced_also_in_what_was_put_in() {
        let known = definitions(&[("BASE", &["10.2.${SUB}"]), ("SUB", &["0"])]);
        assert_eq!(replaced(&known, "${BASE}.100/32 $SUB"), Ok(vec!["10.2.0.100/32 0".into()]));
        assert_eq!(replaced(&known, "$BASE.100"), Ok(vec!["$BASE.100".into()]), "no end of a name");
        assert_eq!(replaced(&known, "${NONE} $"), Ok(vec!["${NONE} $".into()]));
        assert_eq!(replaced(&known, "a${_HASH}b"), Ok(vec!["a#b".into()]));
    }

    #[test]
    fn several_lines_stand_at_the_end_of_a_line_only() {
        let known = definitions(&[("RS", &["real_server 10.0.0.1 {", "weight 1", "}"])]);
        let three = ["x real_server 10.0.0.1 {", "weight 1", "}"].map(str::to_owned).to_vec();
        assert_eq!(replaced(&known, "x $RS"), Ok(three));
        assert_eq!(replaced(&known, "$RS x"), Ok(vec!["$RS x".into()]));
    }

    #[test]
    fn what_names_itself_ends() {
        let known = definitions(&[("A", &["$B"]), ("B", &["$A"]), ("C", &["$C $C"])]);
        assert_eq!(replaced(&known, "$A"), Err(Endless::Rounds));
        let wide = definitions(&[("A", &["${B}${B}"]), ("B", &[&"x".repeat(3_000)])]);
        assert_eq!(replaced(&wide, "$A"), Err(Endless::Length));
        assert!(replaced(&known, "$C").is_err());
    }

    #[test]
    fn a_definition_has_no_space_before_its_sign() {
        let parts = |line| definition(line).map(|it| (it.name, it.value, it.goes_on));
        assert_eq!(parts("$A=b c"), Some(("A", "b c", false)));
        assert_eq!(parts("$A= \\"), Some(("A", "", true)));
        assert_eq!(parts("$A=x \\"), Some(("A", "x", true)));
        assert_eq!(parts("$A ="), None);
        assert_eq!(parts("$1=x"), None);
        assert_eq!(parts("$=x"), None);
    }
}

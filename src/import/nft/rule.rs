//! One rule of nftables, statement by statement.

use serde_json::Value;

use super::field::{Field, bare};
use super::{Sets, TableName, family_of};
use crate::import::matches::{MAX_KEYS, Matches};
use crate::import::walk::{Action, Case, Rule};
use crate::import::{Masking, Place, words};
use crate::model::{Family, Mark};
use crate::state::Source;

/// A rule that replaces sources.
pub(super) type Masks = Masking;

/// What was read of a rule.
pub(super) struct Read {
    /// One for each of the cases that it tells apart.
    pub(super) rules: Vec<Rule>,
    pub(super) masks: Option<Masks>,
    /// Whether an extension of iptables is in it.
    pub(super) foreign: bool,
}

pub(super) struct Reader<'r, 'd> {
    table: TableName<'d>,
    sets: &'r Sets<'d>,
    place: Place,
    /// Each combination of what sets of concatenations ask for.
    cases: Vec<Matches>,
    actions: Vec<Action>,
    /// Further rules, of a map of verdicts.
    branches: Vec<(Matches, Action)>,
    /// The mark that a rule of sources asks for.
    mark: Option<Mark>,
    source: Option<Result<Source, String>>,
    foreign: bool,
}

impl<'r, 'd> Reader<'r, 'd> {
    pub(super) fn new(table: TableName<'d>, sets: &'r Sets<'d>, place: Place) -> Self {
        Self {
            table,
            sets,
            place,
            cases: vec![Matches { family: family_of(table), ..Matches::default() }],
            actions: Vec::new(),
            branches: Vec::new(),
            mark: None,
            source: None,
            foreign: false,
        }
    }

    pub(super) fn read(mut self, body: &Value) -> Read {
        let statements = body.get("expr").and_then(Value::as_array);
        for statement in statements.into_iter().flatten() {
            self.statement(statement);
        }
        let name = body.get("comment").and_then(Value::as_str).and_then(words::name);
        let masks = self.masks();
        let (place, branches) = (self.place, self.branches);
        let mut rules = Vec::new();
        for case in self.cases {
            for (matches, action) in &branches {
                rules.push(Rule {
                    matches: case.and(matches),
                    actions: vec![action.clone()],
                    name: name.clone(),
                    place: place.clone(),
                });
            }
            if !self.actions.is_empty() || masks.is_some() {
                let (actions, name) = (self.actions.clone(), name.clone());
                rules.push(Rule { matches: case, actions, name, place: place.clone() });
            }
        }
        Read { rules, masks, foreign: self.foreign }
    }

    fn statement(&mut self, statement: &Value) {
        let Some((kind, body)) = statement.as_object().and_then(|parts| parts.iter().next()) else {
            return self.ask("something that cannot be read");
        };
        match kind.as_str() {
            "match" if self.actions.is_empty() => self.compare(body),
            "match" => self.ask("a match behind what it does"),
            "mangle" => self.mangle(body),
            "vmap" => self.branch(body),
            "jump" | "goto" => self.actions.extend(verdict(statement)),
            "accept" => self.actions.push(Action::Accept),
            "return" => self.actions.push(Action::Return),
            "limit" | "quota" | "ct count" | "connlimit" => self.ask(kind),
            "masquerade" => {
                let plain = body.is_null();
                let refused = || "options of masquerade".to_owned();
                self.source = Some(if plain { Ok(Source::Masquerade) } else { Err(refused()) });
            }
            "snat" => {
                let address = body.get("addr").and_then(Value::as_str);
                let address = address.and_then(|it| it.parse().ok()).map(Source::Address);
                let refused = || "another source than one address".to_owned();
                self.source = Some(address.ok_or_else(refused));
            }
            "xt" => self.foreign = true,
            // What counts, logs or drops changes no mark.
            _ => {}
        }
    }

    fn compare(&mut self, body: &Value) {
        let (Some(left), Some(right)) = (body.get("left"), body.get("right")) else {
            return self.ask("a match that cannot be read");
        };
        let fields = Field::all(left);
        let equal = matches!(body.get("op").and_then(Value::as_str), Some("==" | "in"));
        match (fields.as_slice(), equal) {
            ([Field::Mark], false) if right.as_u64() == Some(0) => {
                self.each(|case| case.marked = true);
            }
            ([Field::Mark], true) if right.as_u64().is_some_and(|mark| mark != 0) => {
                self.mark = right.as_u64().and_then(|it| Mark::new(u32::try_from(it).ok()?));
                self.ask("a mark that is there");
            }
            (_, false) => {
                let words: Vec<_> = fields.iter().map(Field::words).collect();
                self.ask(&format!("{} other than something", words.join(" . ")));
            }
            ([field], true) => match self.values(right) {
                Some(values) => self.each(|case| {
                    let mut more = Matches::default();
                    field.compare(&values, &mut more);
                    *case = case.and(&more);
                }),
                None => self.ask("a set whose elements are not here"),
            },
            (fields, true) => match self.values(right) {
                Some(values) => {
                    let all: Vec<_> = values.iter().map(|value| concat(fields, value)).collect();
                    self.multiply(&all);
                }
                None => self.ask("a set whose elements are not here"),
            },
        }
    }

    fn each(&mut self, change: impl Fn(&mut Matches)) {
        self.cases.iter_mut().for_each(change);
    }

    fn ask(&mut self, what: &str) {
        self.each(|case| case.ask(what));
    }

    fn multiply(&mut self, by: &[Matches]) {
        if self.cases.len().saturating_mul(by.len()) > MAX_KEYS {
            return self.ask("more combinations than a director can hold");
        }
        let pairs = self.cases.iter().flat_map(|case| by.iter().map(|more| case.and(more)));
        self.cases = pairs.collect();
    }

    /// What something is compared with: one value, those of a set, or of a named one.
    fn values<'v>(&self, right: &'v Value) -> Option<Vec<&'v Value>>
    where
        'd: 'v,
    {
        if let Some(name) = right.as_str().and_then(|text| text.strip_prefix('@')) {
            let elements = self.sets.get(&(self.table, name))?.as_array()?;
            return Some(elements.iter().map(bare).collect());
        }
        match right.get("set").and_then(Value::as_array) {
            Some(values) => Some(values.iter().map(bare).collect()),
            None => Some(vec![bare(right)]),
        }
    }

    fn mangle(&mut self, body: &Value) {
        let key = body.get("key").map(Field::all);
        if key.as_deref() != Some(&[Field::Mark]) {
            return;
        }
        let value = body.get("value").unwrap_or(&Value::Null);
        if let Some(mark) = number(value) {
            return self.actions.push(Action::Mark(mark));
        }
        let action = match value.get("map") {
            Some(map) => self.look_up(map),
            None if value.get("ct").is_some() => {
                Err("it gives packets the mark of their connection, and which that is no rule says")
            }
            None => Err("it makes the mark of other bits, and IPVS compares the whole mark"),
        };
        let action = action.unwrap_or_else(|sentence| Action::Writes(sentence.to_owned()));
        self.actions.push(action);
    }

    /// A map from keys to marks.
    fn look_up(&self, map: &Value) -> Result<Action, &'static str> {
        let unknown = "it looks marks up in a map that is not here";
        let fields = Field::all(map.get("key").ok_or(unknown)?);
        let entries = self.entries(map.get("data").ok_or(unknown)?).unwrap_or_default();
        let case = |(key, mark): (&Value, &Value)| {
            let comment = key.get("elem").and_then(|elem| elem.get("comment"));
            Some(Case {
                matches: concat(&fields, bare(key)),
                mark: number(mark)?,
                name: comment.and_then(Value::as_str).and_then(words::name),
            })
        };
        let cases: Option<Vec<_>> = entries.into_iter().map(case).collect();
        cases.map(Action::Marks).ok_or("it looks up something else than marks")
    }

    /// The pairs of a map; a named one may be empty.
    fn entries<'v>(&self, data: &'v Value) -> Option<Vec<(&'v Value, &'v Value)>>
    where
        'd: 'v,
    {
        let elements = match data.as_str().and_then(|text| text.strip_prefix('@')) {
            Some(name) => self.sets.get(&(self.table, name))?.as_array()?,
            None => data.get("set")?.as_array()?,
        };
        let pair = |element: &'v Value| match element.as_array()?.as_slice() {
            [key, value] => Some((key, value)),
            _ => None,
        };
        elements.iter().map(pair).collect()
    }

    fn branch(&mut self, body: &Value) {
        let fields = body.get("key").map(Field::all).unwrap_or_default();
        let entries = body.get("data").and_then(|data| self.entries(data));
        for (key, value) in entries.unwrap_or_default() {
            let matches = concat(&fields, bare(key));
            self.branches.extend(verdict(value).map(|action| (matches, action)));
        }
    }

    fn masks(&mut self) -> Option<Masks> {
        let source = self.source.take()?;
        let [case] = self.cases.as_slice() else { return None };
        let mut rest = Matches { destinations: None, family: None, ..case.clone() };
        if self.mark.is_some() {
            rest.other = None;
        }
        let destination = match case.destinations.as_deref() {
            Some([one]) => Some(*one),
            None => None,
            Some(_) => {
                rest.ask("several addresses");
                None
            }
        };
        let narrow = rest != Matches::default();
        let narrow = narrow.then(|| rest.other.unwrap_or_else(|| "more than addresses".to_owned()));
        Some(Masking {
            family: case.family.unwrap_or(Family::Ipv4),
            mark: self.mark,
            destination,
            only_ipvs: false,
            source: source.as_ref().copied().unwrap_or(Source::Masquerade),
            other: source.err().or(narrow),
            place: self.place.clone(),
        })
    }
}

/// What a value of a concatenation asks, field by field.
fn concat(fields: &[Field], value: &Value) -> Matches {
    let parts: Vec<&Value> = match value.get("concat").and_then(Value::as_array) {
        Some(parts) => parts.iter().collect(),
        None => vec![value],
    };
    let mut matches = Matches::default();
    if parts.len() != fields.len() {
        matches.ask("a key that cannot be read");
    }
    for (field, part) in fields.iter().zip(parts) {
        let mut more = Matches::default();
        field.compare(&[part], &mut more);
        matches = matches.and(&more);
    }
    matches
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

fn verdict(value: &Value) -> Option<Action> {
    let (kind, body) = value.as_object()?.iter().next()?;
    let target = || Some(body.get("target")?.as_str()?.to_owned());
    match kind.as_str() {
        "jump" => target().map(Action::Jump),
        "goto" => target().map(Action::Goto),
        "accept" => Some(Action::Accept),
        "return" => Some(Action::Return),
        _ => None,
    }
}

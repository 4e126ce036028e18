//! Diagnostics as people read them: like those of rustc.

use std::fmt;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::diagnostic::{ConfigErrors, Diagnostic, Label};
use super::text::{counted, defuse};

/// How much of a file one snippet takes in; more is shown as places without text.
const WINDOW: usize = 1 << 16;

/// How diagnostics look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// With ANSI colours.
    pub colour: bool,
    /// The width of the terminal in columns.
    pub width: usize,
}

impl Look {
    /// Without colours, as wide as a log file bears.
    pub const PLAIN: Self = Self { colour: false, width: 140 };

    fn renderer(self) -> Renderer {
        let renderer = if self.colour { Renderer::styled() } else { Renderer::plain() };
        renderer.term_width(self.width)
    }
}

impl Diagnostic {
    /// The diagnostic with the offending text underlined.
    pub fn render(&self, look: Look) -> String {
        let level = if self.code.is_warning() { Level::WARNING } else { Level::ERROR };
        let mut group =
            Group::with_title(level.primary_title(self.message.as_str()).id(self.code.as_str()));
        let mut rest = self.labels.as_slice();
        while let Some(first) = rest.first() {
            let (together, others) = rest.split_at(same_window(rest));
            group = group.elements(place(first, together, rest.len() == self.labels.len()));
            rest = others;
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let text = look.renderer().render(&[group]);
        // Empty lines of a remedy are indented by the renderer; nobody wants them in a log.
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

impl ConfigErrors {
    /// All diagnostics, one after the other, and how many there are.
    pub fn render(&self, look: Look) -> String {
        let mut text = String::new();
        for diagnostic in &self.diagnostics {
            text += &diagnostic.render(look);
            text += "\n\n";
        }
        let total = self.diagnostics.len() + self.omitted;
        if self.omitted > 0 {
            let shown = self.diagnostics.len();
            text.extend(["the first ", &shown.to_string(), " of ", &total.to_string()]);
            text += " errors are shown\n";
        } else if total > 1 {
            text.extend([&counted(total, "error"), " in the configuration\n"]);
        } else {
            text.pop();
        }
        text
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(Look::PLAIN).trim_end())
    }
}

/// How many of the labels, from the first, one snippet can show.
fn same_window(labels: &[Label]) -> usize {
    (1..labels.len())
        .find(|&count| {
            let next = &labels[count];
            next.order != labels[0].order || window(&labels[..=count]).is_none()
        })
        .unwrap_or(labels.len())
}

/// The whole lines that hold the labels, unless they are too many.
fn window(labels: &[Label]) -> Option<std::ops::Range<usize>> {
    let spans: Vec<_> = labels.iter().map(Label::span).collect::<Option<_>>()?;
    let start = spans.iter().map(|span| span.start).min()?;
    let end = spans.iter().map(|span| span.end).max()?;
    let text = labels[0].file.text();
    let (start, end) = (start.min(text.len()), end.min(text.len()));
    let first = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let last = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
    (last - first <= WINDOW).then_some(first..last)
}

fn place<'d>(first: &'d Label, together: &'d [Label], primary: bool) -> Vec<Element<'d>> {
    let Some(window) = window(together) else {
        let origin = Origin::path(first.file());
        let origin = match first.span() {
            Some(_) => origin.line(first.line()).char_column(first.column()),
            None => origin,
        };
        let said = (!first.text().is_empty()).then(|| Level::NOTE.message(first.text()).into());
        return std::iter::once(origin.into()).chain(said).collect();
    };
    let text = &first.file.text()[window.clone()];
    let annotations = together.iter().enumerate().map(|(index, label)| {
        let kind =
            if primary && index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let span = label.span().unwrap_or_default();
        let end = span.end.min(window.end);
        let text = (!label.text().is_empty()).then_some(label.text());
        kind.span(span.start.min(end) - window.start..end - window.start).label(text)
    });
    let snippet = Snippet::source(defuse(text))
        .path(first.file())
        .line_start(first.file.position(window.start).0)
        .annotations(annotations);
    vec![snippet.into()]
}

//! What is wrong, where, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::codes::Code;
use super::source::SourceFile;
use super::text::clean;

/// More errors than this are counted, not kept: nobody reads them, and a file of
/// garbage has millions.
pub const MAX_ERRORS: usize = 100;

/// A place in a file that a [`Diagnostic`] speaks of.
#[derive(Clone)]
pub struct Label {
    pub(super) file: Arc<SourceFile>,
    pub(super) order: u32,
    pub(super) span: Option<Range<usize>>,
    pub(super) text: String,
}

impl Label {
    /// The file as the user named it, fit to be shown.
    pub fn file(&self) -> &str {
        self.file.name()
    }

    /// The line, counted from 1; 1 where the whole file is meant.
    pub fn line(&self) -> usize {
        self.position().0
    }

    /// The column in characters, counted from 1; 1 where the whole file is meant.
    pub fn column(&self) -> usize {
        self.position().1
    }

    /// The bytes of the file that are meant; none where it is the whole file.
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    /// What is said about the place; may be empty.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn position(&self) -> (usize, usize) {
        self.span.as_ref().map_or((1, 1), |span| self.file.position(span.start))
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{} {:?}", self.file(), self.line(), self.column(), self.text)
    }
}

/// One mistake.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// One sentence, which names the group where it is about one.
    pub message: String,
    /// Where: first the place itself, then others that belong to it.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// The group that it is about.
    pub group: Option<String>,
}

impl Diagnostic {
    /// Says something about the place itself.
    pub(super) fn label(&mut self, text: impl AsRef<str>) -> &mut Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = clean(text.as_ref());
        }
        self
    }

    /// Shows another place too.
    pub(super) fn also(&mut self, label: Label) -> &mut Self {
        self.labels.push(label);
        self
    }

    /// Names the remedy.
    pub(super) fn help(&mut self, text: impl AsRef<str>) -> &mut Self {
        // Line breaks are ours: no user text in a remedy holds one, for it is cleaned
        // line by line and TOML writes a line break in a name as an escape.
        self.help = Some(text.as_ref().lines().map(clean).collect::<Vec<_>>().join("\n"));
        self
    }

    /// Names the remedy, where there is one.
    pub(super) fn maybe_help(&mut self, text: Option<impl AsRef<str>>) -> &mut Self {
        match text {
            Some(text) => self.help(text),
            None => self,
        }
    }

    fn place(&self) -> (u32, usize) {
        let label = self.labels.first();
        label.map_or((0, 0), |label| (label.order, label.span.as_ref().map_or(0, |at| at.start)))
    }
}

/// Everything that is wrong with a configuration, in the order of files and lines.
#[derive(Debug, Clone)]
pub struct ConfigErrors {
    /// The mistakes, at least one and at most [`MAX_ERRORS`].
    pub diagnostics: Vec<Diagnostic>,
    /// How many more were found.
    pub omitted: usize,
}

impl std::error::Error for ConfigErrors {}

/// A place in one of the files, small enough to keep one for each port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) file: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What was found so far, and the files it was found in.
#[derive(Default)]
pub(super) struct Report {
    files: Vec<Arc<SourceFile>>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    omitted: Vec<Diagnostic>,
    omitted_count: usize,
}

impl Report {
    /// Takes in a file, and answers with its number.
    pub(super) fn add_file(&mut self, file: SourceFile) -> u32 {
        self.files.push(Arc::new(file));
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    /// The file of a number.
    pub(super) fn file(&self, number: u32) -> &Arc<SourceFile> {
        &self.files[number as usize]
    }

    /// A place with a text, for [`Diagnostic::also`].
    pub(super) fn label(&self, spot: Spot, text: impl AsRef<str>) -> Label {
        Label {
            file: Arc::clone(self.file(spot.file)),
            order: spot.file,
            span: Some(spot.start as usize..spot.end as usize),
            text: clean(text.as_ref()),
        }
    }

    /// Takes in a mistake at a place.
    pub(super) fn error(&mut self, code: Code, spot: Spot, message: &str) -> &mut Diagnostic {
        let label = self.label(spot, "");
        self.push(code, Some(label), message)
    }

    /// Takes in a mistake about a whole file.
    pub(super) fn file_error(&mut self, code: Code, file: u32, message: &str) -> &mut Diagnostic {
        let label = Label {
            file: Arc::clone(self.file(file)),
            order: file,
            span: None,
            text: String::new(),
        };
        self.push(code, Some(label), message)
    }

    /// Takes in a mistake that has no place.
    pub(super) fn placeless(&mut self, code: Code, message: &str) -> &mut Diagnostic {
        self.push(code, None, message)
    }

    fn push(&mut self, code: Code, label: Option<Label>, message: &str) -> &mut Diagnostic {
        let diagnostic = Diagnostic {
            code,
            message: clean(message),
            labels: label.into_iter().collect(),
            help: None,
            group: None,
        };
        let list = if code.is_warning() {
            &mut self.warnings
        } else if self.errors.len() < MAX_ERRORS {
            &mut self.errors
        } else {
            self.omitted_count += 1;
            self.omitted.clear();
            &mut self.omitted
        };
        list.push(diagnostic);
        let index = list.len() - 1;
        &mut list[index]
    }

    /// Counts mistakes without looking at them.
    pub(super) fn omit(&mut self, count: usize) {
        self.omitted_count += count;
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// The warnings, or else the errors.
    pub(super) fn finish(mut self) -> Result<Vec<Diagnostic>, ConfigErrors> {
        if self.errors.is_empty() {
            self.warnings.sort_by_key(Diagnostic::place);
            return Ok(self.warnings);
        }
        self.errors.sort_by_key(Diagnostic::place);
        Err(ConfigErrors { diagnostics: self.errors, omitted: self.omitted_count })
    }
}

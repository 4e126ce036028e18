//! What outlives an apply: the marks, which a group keeps for ever.
//!
//! Affinity is keyed on the mark. The file `marks.json` in the state directory holds
//! which mark each group has, disabled ones included, so that the insertion of another
//! group or the loss of the kernel's tables changes none.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::compile::MarkBook;
use crate::model::Mark;
use crate::transaction::replace_file;

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct MarksFile {
    format: u32,
    marks: std::collections::BTreeMap<String, u32>,
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("marks.json")
}

/// The marks that groups had. Without a file, or without the right to read it, there is
/// no history; a file that makes no sense is named in a warning and not trusted.
pub fn load_marks(state_dir: &Path) -> MarkBook {
    let path = path(state_dir);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!("the history of marks is not used: {}: {error}", path.display());
            }
            return MarkBook::default();
        }
    };
    parse(&text).unwrap_or_else(|| {
        tracing::warn!("the history of marks is damaged and not used: {}", path.display());
        MarkBook::default()
    })
}

fn parse(text: &str) -> Option<MarkBook> {
    let file: MarksFile = serde_json::from_str(text).ok()?;
    if file.format != FORMAT {
        return None;
    }
    let entry = |(holder, mark): (String, u32)| Some((holder.parse().ok()?, Mark::new(mark)?));
    file.marks.into_iter().map(entry).collect::<Option<_>>().map(MarkBook)
}

/// Saves the marks: written beside the file, synced, and put in its place at once.
///
/// # Errors
/// What the file system says; the file from before is then still there.
pub fn save_marks(state_dir: &Path, book: &MarkBook) -> io::Result<()> {
    let path = path(state_dir);
    if path.exists() && load_marks(state_dir) == *book {
        return Ok(());
    }
    let marks = book.0.iter().map(|(holder, mark)| (holder.to_string(), mark.get())).collect();
    replace_file(&path, &serde_json::to_vec_pretty(&MarksFile { format: FORMAT, marks })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> MarkBook {
        let entry = |holder: &str, mark| {
            (holder.parse().expect("a holder"), Mark::new(mark).expect("not 0"))
        };
        MarkBook([entry("web", 10), entry("shop 443/tcp", 0x4c56_0001)].into())
    }

    #[test]
    fn marks_come_back_as_they_were_saved() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("deep/state");
        assert_eq!(load_marks(&state), MarkBook::default());
        save_marks(&state, &book()).expect("writable");
        assert_eq!(load_marks(&state), book());
        assert_eq!(fs::read_dir(&state).expect("readable").count(), 1, "nothing is left over");
    }

    #[test]
    fn a_damaged_history_is_not_trusted() {
        let folder = tempfile::tempdir().expect("a folder");
        for text in ["", "{}", r#"{"format":2,"marks":{}}"#, r#"{"format":1,"marks":{"web":0}}"#] {
            fs::write(path(folder.path()), text).expect("writable");
            assert_eq!(load_marks(folder.path()), MarkBook::default(), "{text}");
        }
    }
}

//! What of the table is shown, by a text.

use super::rows::{Block, Row};

/// Keeps the groups whose name or service has the text, with all that is theirs; of the
/// others the real servers and entries that have it. Large and small letters are the same.
pub(super) fn keep(blocks: &mut Vec<Block>, text: &str) {
    let text = text.to_lowercase();
    if text.is_empty() {
        return;
    }
    let has = |row: &Row| {
        row.name.to_lowercase().contains(&text) || row.title.to_lowercase().contains(&text)
    };
    blocks.retain_mut(|block| {
        if has(&block.group) {
            return true;
        }
        block.entries.retain(has);
        block.servers.retain(has);
        !block.entries.is_empty() || !block.servers.is_empty()
    });
}

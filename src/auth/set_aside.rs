//! Damaged databases that `doctor --repair` set aside: they may hold tokens that nothing else knows of.
//!
//! Separate from the commands because each that removes tokens has to name these files, or remove them.

use std::path::{Path, PathBuf};

use crate::printable::{printable, quoted};
use crate::store;

/// The files and the command that removes them.
pub(crate) struct SetAside {
    pub(super) files: Vec<PathBuf>,
}

impl SetAside {
    /// `None` if there are none.
    pub(crate) fn in_dir(dir: &Path) -> Option<SetAside> {
        let files = store::set_aside_in(dir);
        (!files.is_empty()).then_some(SetAside { files })
    }

    /// What there is, in one sentence.
    pub(crate) fn shown(&self) -> String {
        let first = self.files.first().map(|file| file.display().to_string());
        let first = printable(&first.unwrap_or_default());
        format!("{first} was set aside and may hold tokens")
    }

    /// The command, in backticks.
    pub(crate) fn remedy(&self) -> String {
        let files = self.files.iter();
        let files: Vec<String> = files
            .map(|file| quoted(&file.display().to_string()))
            .collect();
        format!("`rm {}`", files.join(" "))
    }
}

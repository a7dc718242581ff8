//! A folder of one's own under the system's temporary folder, removed when dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// See the module.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A new, empty folder, whose name no other test has.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("turnout-{}-{number}", std::process::id()));
        // What an earlier process with this id may have left when it was killed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path)
            .unwrap_or_else(|error| panic!("cannot create {}: {error}", path.display()));
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file so that a reader sees the old text or the new one, never a part.
    pub fn replace_file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path.join(name);
        let written = self.path.join(format!(".{name}.new"));
        fs::write(&written, text)
            .and_then(|()| fs::rename(&written, &file))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
        file
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

//! A folder of its own below the system's temporary folder, removed when dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A temporary folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Creates an empty folder with a unique name.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("turnout-{}-{number}", std::process::id()));
        // Removes what an earlier process with this id left when it was killed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path)
            .unwrap_or_else(|error| panic!("cannot create {}: {error}", path.display()));
        Self { path }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file so that a reader sees the old or the new text, never a part.
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

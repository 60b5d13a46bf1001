//! What is read: files one behind the other, or a pipe.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use msgr2::capture::{CaptureFile, Error};

/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Below this size a file is read before a bar could be looked at.
const WORTH_A_BAR: u64 = 16 << 20;

/// A capture that is being read.
pub(super) struct Input {
    pub(super) file: CaptureFile,
    /// It is a pipe or the like: packets come when they come.
    pub(super) live: bool,
    /// Shows how much was read.
    pub(super) bar: Option<ProgressBar>,
}

impl Input {
    /// Opens a file, or standard input.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = if path.as_os_str() == STANDARD_INPUT {
            io::stdin().as_fd().try_clone_to_owned().map(File::from)
        } else {
            File::open(path)
        };
        let file = file.map_err(Error::Open)?;
        let size = file.metadata().ok().filter(|metadata| metadata.is_file()).map(|metadata| metadata.len());
        let bar = progress(size.unwrap_or(0));
        let capture = match &bar {
            Some(bar) => CaptureFile::new(bar.wrap_read(file)),
            None => CaptureFile::new(file),
        };
        Ok(Self { file: capture?, live: size.is_none(), bar })
    }
}

/// The name of a capture in messages.
pub(super) fn name(path: &Path) -> String {
    if path.as_os_str() == STANDARD_INPUT { "standard input".to_owned() } else { path.display().to_string() }
}

fn progress(length: u64) -> Option<ProgressBar> {
    if length < WORTH_A_BAR || !io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    Some(bar)
}

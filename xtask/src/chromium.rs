//! A browser engine, for the tests that run in one. `webdriver.json` says how it is started.

use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::Shell;

use crate::debian;

/// Drives the browser.
pub const DRIVER: &str = "/usr/bin/chromedriver";

/// Finds Chromium and its driver, or installs Debian's.
pub fn set_up(sh: &Shell) -> Result<()> {
    if [DRIVER, "/usr/bin/chromium"].iter().all(|program| Path::new(program).exists()) {
        return Ok(());
    }
    let advice = "put Chromium and its driver at /usr/bin/chromium and /usr/bin/chromedriver";
    debian::install(sh, &["chromium", "chromium-driver"]).context(advice)
}

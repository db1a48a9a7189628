//! A browser engine, for the tests that run in one. `webdriver.json` says how it is started.

use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::Shell;

use crate::{Unavailable, debian};

/// Drives the browser.
pub const DRIVER: &str = "/usr/bin/chromedriver";

/// Finds Chromium and its driver, or installs Debian's.
pub fn set_up(sh: &Shell) -> Result<()> {
    if [DRIVER, "/usr/bin/chromium"].iter().all(|program| Path::new(program).exists()) {
        return Ok(());
    }
    let missing = Unavailable("/usr/bin/chromium or its driver, /usr/bin/chromedriver, is missing");
    debian::install(sh, &["chromium", "chromium-driver"]).context(missing)
}

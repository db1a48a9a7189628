//! Browser engines, for the tests that run in them. `webdriver.json` says how Chromium is started.

use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::Shell;

use crate::{Unavailable, debian};

/// Drives Chromium for wasm-bindgen's tests.
pub const CHROMEDRIVER: &str = "/usr/bin/chromedriver";

/// A browser, and the driver that npm does not have.
pub struct Browser {
    /// Its programs.
    programs: &'static [&'static str],
    /// Debian's packages that have them.
    packages: &'static [&'static str],
    /// The reason that a skipped step gives.
    missing: &'static str,
}

pub const CHROMIUM: Browser = Browser {
    programs: &["/usr/bin/chromium", CHROMEDRIVER],
    packages: &["chromium", "chromium-driver"],
    missing: "/usr/bin/chromium or its driver, /usr/bin/chromedriver, is missing",
};

pub const FIREFOX: Browser = Browser {
    programs: &["/usr/bin/firefox-esr"],
    packages: &["firefox-esr"],
    missing: "/usr/bin/firefox-esr is missing",
};

/// WebKit cannot do without a screen.
pub const WEBKIT: Browser = Browser {
    programs: &[
        "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser",
        "/usr/bin/WebKitWebDriver",
        "/usr/bin/Xvfb",
    ],
    packages: &["webkit2gtk-driver", "xvfb"],
    missing: "WebKitGTK's MiniBrowser, /usr/bin/WebKitWebDriver or /usr/bin/Xvfb is missing",
};

impl Browser {
    /// Finds the programs, or installs Debian's.
    pub fn set_up(&self, sh: &Shell) -> Result<()> {
        if self.programs.iter().all(|program| Path::new(program).exists()) {
            return Ok(());
        }
        debian::install(sh, self.packages).context(Unavailable(self.missing))
    }
}

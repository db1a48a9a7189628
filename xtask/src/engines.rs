//! Servers that the sinks write to, for their tests.

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use crate::{Unavailable, debian};

/// Programs, and Debian's packages of the same names.
const SERVERS: [&str; 2] = ["nats-server", "redis-server"];

/// Finds the servers, or installs Debian's. The tests start them as they need them.
pub fn set_up(sh: &Shell) -> Result<()> {
    let is_there = |server: &&str| {
        let version = cmd!(sh, "{server} --version");
        version.quiet().ignore_stdout().ignore_stderr().run().is_ok()
    };
    if SERVERS.iter().all(is_there) {
        return Ok(());
    }
    debian::install(sh, &SERVERS).context(Unavailable("nats-server or redis-server is missing"))
}

//! Servers that the sinks write to, for their tests.

use anyhow::{Context as _, Result};
use xshell::Shell;

use crate::{Unavailable, debian};

/// Programs, each with the option for its version, and Debian's packages of the same names. `kcat`
/// has a mock broker of Kafka.
const SERVERS: [(&str, &str); 3] =
    [("nats-server", "--version"), ("redis-server", "--version"), ("kcat", "-V")];

/// The folder of Debian's `PostgreSQL`, whose programs are beside the PATH.
const POSTGRES: &str = "/usr/lib/postgresql";

/// Finds the servers, or installs Debian's. The tests start them as they need them.
pub fn set_up(sh: &Shell) -> Result<()> {
    debian::find_or_install(sh, &SERVERS)
        .context(Unavailable("nats-server, redis-server or kcat is missing"))?;
    if sh.path_exists(POSTGRES) {
        return Ok(());
    }
    debian::install(sh, &["postgresql"]).context(Unavailable("PostgreSQL is missing"))
}

//! Breaks the sources one by one, as `xtask/mutations.toml` lists it, and reports the breakages
//! that no test notices. It works in a copy of the tree and leaves the checkout as it is.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use xshell::{Shell, cmd};

use crate::toolchain::Tools;
use crate::{exec, lock, npm, package, say};

const LIST: &str = "xtask/mutations.toml";
/// The copy of the tree.
const COPY: &str = "target/mutate";
/// The output of the last mutation's tests.
const LOG: &str = "target/mutate.log";
/// The limit of one build or one run of tests, in seconds: a mutation may make it endless.
const LIMIT: &str = "300";

/// Options of `cargo xtask mutate`.
#[derive(clap::Args)]
pub struct Args {
    /// Try the mutations alone whose names contain this; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// List the mutations
    #[arg(long)]
    list: bool,
}

/// One breakage.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    name: String,
    /// The broken property: a sentence that holds without the mutation.
    breaks: String,
    file: PathBuf,
    /// The text to replace, which the file must have exactly once.
    find: String,
    replace: String,
    /// The files whose tests should notice.
    tests: Vec<PathBuf>,
    /// Which tests of these files, by a regular expression; without it, all. For Node alone.
    named: Option<String>,
    /// The features that the tests are built with. For the core alone.
    features: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutation: Vec<Mutation>,
}

impl Mutation {
    /// The file's text with the breakage in it.
    fn apply(&self, text: &str) -> Result<String> {
        let count = text.matches(&self.find).count();
        let (name, file) = (&self.name, self.file.display());
        ensure!(count == 1, "{name}: {file} has its `find` {count} times, but must have it once");
        let broken = text.replacen(&self.find, &self.replace, 1);
        ensure!(broken != text, "{name}: its `replace` changes nothing");
        Ok(broken)
    }

    /// Which of its files' tests, and how they are built.
    fn choice(&self) -> Choice<'_> {
        Choice { named: self.named.as_deref(), features: self.features.as_deref() }
    }

    /// True if the mutation is in the Rust core, and not in the JavaScript around it.
    fn is_native(&self) -> bool {
        is_rust(&self.file)
    }
}

/// [`Mutation::named`] and [`Mutation::features`].
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Choice<'a> {
    named: Option<&'a str>,
    features: Option<&'a str>,
}

fn is_rust(file: &Path) -> bool {
    file.extension() == Some(OsStr::new("rs"))
}

/// The list, each entry of which fits the tree that is under `root`.
fn read_list(root: &Path) -> Result<Vec<Mutation>> {
    let text = std::fs::read_to_string(root.join(LIST)).context(LIST)?;
    let List { mutation: list } = toml::from_str(&text).context(LIST)?;
    for (index, mutation) in list.iter().enumerate() {
        let Mutation { name, file, tests, named, features, .. } = mutation;
        let is_taken = list.iter().take(index).any(|other| other.name == *name);
        ensure!(!is_taken, "two mutations have the name {name}");
        let text = std::fs::read_to_string(root.join(file));
        mutation.apply(&text.with_context(|| format!("{name}: {}", file.display()))?)?;
        ensure!(!tests.is_empty(), "{name} has no tests");
        ensure!(!(mutation.is_native() && named.is_some()), "{name}: `named` is for Node alone");
        let is_misused = !mutation.is_native() && features.is_some();
        ensure!(!is_misused, "{name}: `features` is for the core alone");
        for test in tests {
            ensure!(root.join(test).is_file(), "{name}: there is no {}", test.display());
            // A broken core would have to be compiled to WebAssembly first.
            let is_same_kind = is_rust(test) == mutation.is_native();
            ensure!(is_same_kind, "{name}: {} does not run what it breaks", test.display());
        }
    }
    Ok(list)
}

/// Tries the selected mutations, and fails if one survives or could not be tried.
pub fn run(sh: &Shell, args: &Args) -> Result<()> {
    let mut list = read_list(Path::new("."))?;
    let is_asked_for = |name: &str| args.only.iter().any(|part| name.contains(part));
    list.retain(|mutation| args.only.is_empty() || is_asked_for(&mutation.name));
    ensure!(!list.is_empty(), "no mutation of {LIST} has such a name");
    if args.list {
        list.iter().for_each(|mutation| println!("{}: {}", mutation.name, mutation.breaks));
        return Ok(());
    }
    if !list.iter().all(Mutation::is_native) {
        // The sources that are made, and the packages, which the copy takes over.
        package::build(sh, &Tools::set_up()?)?;
    }
    let _lock = lock::wait_for("mutate")?;
    copy_tree(sh)?;
    check_unbroken(sh, &list)?;
    let mut escaped = Vec::new();
    for mutation in &list {
        let start = Instant::now();
        let outcome = attempt(sh, mutation)?;
        let seconds = start.elapsed().as_secs();
        eprintln!("{seconds:>4} s  {outcome:<14}  {}", mutation.name);
        if outcome != NOTICED {
            escaped.push(format!("{}: {outcome}: {}", mutation.name, mutation.breaks));
        }
    }
    let (escapes, all) = (escaped.len(), list.len());
    eprintln!("{} of {all} mutations were noticed", all - escapes);
    ensure!(escaped.is_empty(), "{escapes} were not:\n  {}", escaped.join("\n  "));
    Ok(())
}

const NOTICED: &str = "noticed";

/// Tries a mutation in the copy, and takes it back. Returns the result.
fn attempt(sh: &Shell, mutation: &Mutation) -> Result<&'static str> {
    let file = Path::new(COPY).join(&mutation.file);
    let text = sh.read_file(&file)?;
    sh.write_file(&file, mutation.apply(&text)?)?;
    let outcome = (|| {
        if !build(mutation.is_native(), &mutation.tests, mutation.features.as_deref())? {
            return Ok("does not build");
        }
        for test in &mutation.tests {
            if !passes(test, &mutation.choice())? {
                return Ok(NOTICED);
            }
        }
        Ok("survived")
    })();
    sh.write_file(&file, text)?;
    outcome
}

/// The build that a test needs: of the core or of the package, and with which features.
fn kind<'a>((test, choice): &(&PathBuf, Choice<'a>)) -> (bool, Option<&'a str>) {
    (is_rust(test), choice.features)
}

/// Fails if tests of the list fail without any mutation: then they say nothing about one.
fn check_unbroken(sh: &Shell, list: &[Mutation]) -> Result<()> {
    say("running the tests on the unbroken copy");
    let mut runs: Vec<_> = list
        .iter()
        .flat_map(|mutation| mutation.tests.iter().map(|test| (test, mutation.choice())))
        .collect();
    runs.sort();
    runs.dedup();
    runs.sort_by_key(kind);
    for same in runs.chunk_by(|one, other| kind(one) == kind(other)) {
        let tests: Vec<_> = same.iter().map(|(test, _)| test).collect();
        let Some((native, features)) = same.first().map(kind) else { continue };
        ensure!(build(native, &tests, features)?, "the copy does not build: see {LOG}");
        for (test, choice) in same {
            let output = || sh.read_file(LOG).unwrap_or_default();
            ensure!(passes(test, choice)?, "{} fails unbroken: {}", test.display(), output());
        }
    }
    Ok(())
}

/// Brings the copy up to date: what git would commit, the sources that are made, and links to the
/// packages. A file is written only if it differs, because cargo goes by times.
fn copy_tree(sh: &Shell) -> Result<()> {
    let files = cmd!(sh, "git ls-files --cached --others --exclude-standard").quiet().read()?;
    let made = package::MADE.map(|name| format!("{}/{name}", package::SOURCES));
    for file in files.lines().chain(made.iter().map(String::as_str)) {
        // One that was deleted is still in git's index.
        let Ok(content) = std::fs::read(file) else { continue };
        let to = Path::new(COPY).join(file);
        if !std::fs::read(&to).is_ok_and(|old| old == content) {
            sh.write_file(&to, content)?;
        }
    }
    link_packages(sh)
}

/// Links the installed packages one by one: those of the workspace must be the copy's own.
fn link_packages(sh: &Shell) -> Result<()> {
    let links = Path::new(COPY).join("node_modules");
    sh.remove_path(&links)?;
    sh.create_dir(&links)?;
    for package in sh.read_dir("node_modules")? {
        // Those of the workspace are relative links, which are right in the copy as well.
        let target = std::fs::read_link(&package).or_else(|_| std::path::absolute(&package))?;
        let link = links.join(package.file_name().unwrap_or_default());
        exec(cmd!(sh, "ln -s {target} {link}"))?;
    }
    Ok(())
}

/// Builds in the copy what tests need. Returns whether that was possible.
fn build(native: bool, tests: &[impl AsRef<Path>], features: Option<&str>) -> Result<bool> {
    if native {
        let mut targets: Vec<_> = tests.iter().map(|test| target(test.as_ref())).collect();
        targets.sort();
        targets.dedup();
        let cargo = words(["cargo", "test", "--quiet", "--no-run"]).chain(with_features(features));
        return succeeds(cargo.chain(targets.into_iter().flatten()));
    }
    // One chunk has what entries share, so that there is one class of each name.
    let entries = package::ENTRIES.iter().map(|entry| format!("{}/{entry}.ts", package::SOURCES));
    let esbuild = npm::bin("esbuild").into_os_string();
    let options = ["--bundle", "--splitting", "--format=esm", "--platform=neutral"];
    let more = ["--main-fields=module,main", "--external:node:*", "--external:*.wasm"];
    let external = package::EXTERNAL.map(|name| format!("--external:{name}"));
    let out = [format!("--outdir={}", package::DIST), format!("--outbase={}", package::SOURCES)];
    let arguments = entries.chain(external).chain(out);
    let command = [esbuild].into_iter().chain(arguments.map(OsString::from));
    succeeds(command.chain(words(options)).chain(words(more)))
}

/// Runs the tests of a file in the copy, or chosen ones, on the build.
fn passes(test: &Path, choice: &Choice<'_>) -> Result<bool> {
    if !is_rust(test) {
        let pattern = choice.named.map(|named| format!("--test-name-pattern={named}").into());
        let node = words(["node", "--test", "--test-timeout=60000"]);
        return succeeds(node.chain(pattern).chain([test.into()]));
    }
    let cargo = words(["cargo", "test", "--quiet"]).chain(with_features(choice.features));
    let cargo = cargo.chain(target(test));
    let module = test.strip_prefix("src").ok().map(|module| {
        let path = module.with_extension("").to_string_lossy().replace('/', "::");
        format!("{path}::tests").into()
    });
    succeeds(cargo.chain(module))
}

/// Cargo's option for features.
fn with_features(features: Option<&str>) -> Option<OsString> {
    features.map(|features| format!("--features={features}").into())
}

/// Which of cargo's targets has a file's tests.
fn target(test: &Path) -> Vec<OsString> {
    if test.starts_with("src") {
        return vec!["--lib".into()];
    }
    vec!["--test".into(), test.file_stem().unwrap_or_default().into()]
}

fn words<const N: usize>(words: [&str; N]) -> impl Iterator<Item = OsString> {
    words.map(OsString::from).into_iter()
}

/// Runs a command in the copy, for no longer than [`LIMIT`]. Returns whether it succeeded.
fn succeeds(command: impl Iterator<Item = OsString>) -> Result<bool> {
    let log = File::create(LOG)?;
    let mut timeout = Command::new("timeout");
    timeout.args(["--kill-after=10", LIMIT]).args(command).current_dir(COPY);
    // Cargo's variables describe a build of the checkout, not of the copy.
    timeout.env_remove("CARGO_TARGET_DIR").stdout(log.try_clone()?).stderr(log);
    Ok(timeout.status().context("could not start `timeout`")?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_of_the_list_fits_the_tree() -> Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is in a tree")?;
        ensure!(read_list(root)?.len() >= 40);
        Ok(())
    }

    #[test]
    fn a_mutation_whose_text_is_not_there_once_is_refused() {
        let mutation = Mutation {
            name: "m".to_owned(),
            breaks: String::new(),
            file: "f".into(),
            find: "a".to_owned(),
            replace: "b".to_owned(),
            tests: Vec::new(),
            named: None,
            features: None,
        };
        assert_eq!(mutation.apply("cac").ok().as_deref(), Some("cbc"));
        let refusal = |text| mutation.apply(text).err().map(|error| error.to_string());
        assert_eq!(
            refusal("aca").as_deref(),
            Some("m: f has its `find` 2 times, but must have it once")
        );
        assert!(refusal("c").is_some());
    }
}

//! Checks that the bundle of an app that imports `EventBus` alone has nothing of the other entries.

use std::path::Path;

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use crate::npm;

/// The other parts of the package, and what betrays each in a bundle, minified or not.
const MARKERS: &[(&str, &str, &str)] = &[
    ("shardbus", "its WebAssembly", "\"<\\\\"),
    ("shardbus/js", "its JavaScript", "Math.clz32"),
    ("shardbus/requests", "the work of requests", "@vercel/request-context"),
    ("shardbus/stores/fs", "the file store", "node:fs"),
    ("shardbus/stores/indexeddb", "the IndexedDB store", "versionchange"),
    ("shardbus/stores/indexeddb", "idb", "objectStoreNames"),
    ("shardbus/stores/custom", "the outbox", "so it stays there"),
    ("shardbus/stores/sealed", "the sealed store", "additionalData"),
    ("shardbus/shutdown", "the shutdown hooks", "SIGTERM"),
    ("shardbus/otel", "the instruments", "shardbus.events.lost"),
    ("shardbus/opentelemetry", "the processors", "batching_span_processor"),
    ("shardbus/hono", "the middleware for Hono", "server-timing"),
    ("shardbus/pino", "the destination for pino", "node:stream"),
    ("shardbus/streams", "the streams", "WritableStream"),
    ("shardbus/sinks/http", "the HTTP sink", "CompressionStream"),
    ("shardbus/sinks/nats", "the NATS sink", "lastMsgID"),
    ("shardbus/sinks/redis", "the Redis sink", "XADD"),
    ("shardbus/sinks/cloudflare-queues", "the sink for Cloudflare's queues", "sendBatch"),
    ("shardbus/sinks/cloudflare-pipelines", "the sink for Cloudflare's pipelines", "idField"),
    ("shardbus/sinks/kafka", "the Kafka sink", "Kafka did not"),
    ("shardbus/sinks/r2", "the sink for R2", "httpMetadata"),
    ("shardbus/sinks/presets", "the presets", "JSONEachRow"),
    ("shardbus/sinks/s3", "the sink for S3", "of aws4fetch"),
    ("shardbus/sinks/aws", "the sinks for AWS", "SendMessageBatch"),
    ("shardbus/sinks/postgres", "the PostgreSQL sink", "ON CONFLICT"),
];

/// Bundles an app for each entry that has an `EventBus`. `project` has the package installed.
pub fn check(sh: &Shell, project: &str) -> Result<()> {
    for &(entry, what, marker) in MARKERS {
        let all = bundle(sh, project, &format!("export * from \"{entry}\";\n"))?;
        ensure!(all.contains(marker), "{entry} has no {marker:?}, which should betray {what}");
    }
    for app in ["shardbus", "shardbus/slim", "shardbus/js"] {
        let source = format!("import {{ EventBus }} from \"{app}\";\nnew EventBus(() => {{}});\n");
        let bundle = bundle(sh, project, &source)?;
        for &(entry, what, marker) in MARKERS.iter().filter(|(entry, ..)| *entry != app) {
            // For runtimes without WebAssembly, which mostly serve requests.
            if (app, entry) == ("shardbus/js", "shardbus/requests") {
                continue;
            }
            ensure!(!bundle.contains(marker), "an app of {app} carries {what} of {entry}");
        }
    }
    Ok(())
}

fn bundle(sh: &Shell, project: &str, source: &str) -> Result<String> {
    let esbuild = std::path::absolute(npm::bin("esbuild"))?;
    let _project = sh.push_dir(Path::new(project));
    let bundle = cmd!(sh, "{esbuild} --bundle --minify --format=esm --external:node:*");
    let bundle = bundle.args(["--platform=neutral", "--log-level=warning"]).stdin(source);
    let bundle = bundle.arg("--external:@opentelemetry/api");
    Ok(bundle.quiet().read()?)
}

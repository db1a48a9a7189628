//! A service that logs its requests through the bus: it answers, then sends the log.
#![cfg(target_family = "wasm")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "there are none but those of wit-bindgen")]

mod bindings;

use bindings::shardbus::bus::http_bus::{Bus, Receiver};
use bindings::shardbus::bus::types::{BatchOptions, Options};
use std::collections::HashMap;
use std::io::Write as _;
use wasip2::cli::environment::get_environment;
use wasip2::cli::stderr::get_stderr;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

/// The longest time that a request's instance stays for its log.
const FLUSH_TIMEOUT: u64 = 10_000_000_000;

/// The service.
struct Service;

wasip2::http::proxy::export!(Service);

thread_local! {
    /// One for all requests of an instance.
    static LOG: Log = Log::open();
}

impl Guest for Service {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        answer(response);
        let path = request.path_with_query().unwrap_or_default();
        LOG.with(|log| log.write(&serde_json::json!({ "path": path })));
    }
}

/// Answers with 204. The caller has the answer while the log is sent.
fn answer(to: ResponseOutparam) {
    let response = OutgoingResponse::new(Fields::new());
    let (status, body) = (response.set_status_code(204), response.body());
    ResponseOutparam::set(to, Ok(response));
    status.expect("204 is a status");
    OutgoingBody::finish(body.expect("it was not taken before"), None).expect("it is empty");
}

/// The log of requests.
struct Log {
    bus: Bus,
    /// More requests will come to this instance.
    is_reused: bool,
}

impl Log {
    fn open() -> Self {
        let environment: HashMap<_, _> = get_environment().into_iter().collect();
        let url = environment.get("COLLECTOR").expect("COLLECTOR is the URL of the log's receiver");
        let receiver = Receiver { url: url.clone(), headers: Vec::new() };
        let bus =
            Bus::create(&receiver, options()).expect("the receiver and the options are right");
        Self { bus, is_reused: environment.contains_key("REUSED") }
    }

    fn write(&self, entry: &serde_json::Value) {
        if let Err(reason) = self.bus.ingest(entry.to_string().as_bytes(), None) {
            tell(&format!("an entry is not logged: {reason:?}"));
        }
        if self.is_reused {
            self.bus.tick();
            return;
        }
        let report = self.bus.flush(FLUSH_TIMEOUT);
        if report.pending > 0 {
            tell(&format!("{} entries are lost with this instance", report.pending));
        }
    }
}

/// Batches of up to ten entries.
fn options() -> Options {
    let batch =
        BatchOptions { max_size: Some(10), adaptive: Some(false), ..BatchOptions::default() };
    Options { batch: Some(batch), ..Options::default() }
}

fn tell(text: &str) {
    // There is nobody else to tell.
    let _ = writeln!(get_stderr(), "{text}");
}

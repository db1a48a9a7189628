//! A service that logs its requests through the bus: it answers, and the bus works beside it.
#![cfg(target_family = "wasm")]
#![expect(clippy::disallowed_types, reason = "the library's rule is for types that threads share")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "there are none but those of wit-bindgen")]

mod bindings;

use bindings::shardbus::bus::async_bus::Bus;
use bindings::shardbus::bus::types::{BatchOptions, Options};
use std::cell::OnceCell;
use std::rc::Rc;
use wasip3::cli::environment::get_environment;
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_future;
use wit_bindgen::spawn_local;

/// The service.
struct Service;

wasip3::http::service::export!(Service);

thread_local! {
    /// One for all requests of an instance.
    static BUS: OnceCell<Rc<Bus>> = const { OnceCell::new() };
}

impl Guest for Service {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let entry = serde_json::json!({ "path": path }).to_string();
        let bus = bus().await;
        if let Err(reason) = bus.ingest(entry.as_bytes(), None) {
            return Err(ErrorCode::InternalError(Some(format!("not logged: {reason:?}"))));
        }
        if !get_environment().iter().any(|(name, _)| name == "REUSED") {
            // The instance ends once this has.
            spawn_local(async move { bus.flush().await });
        }
        Ok(answer())
    }
}

/// The bus of this instance.
async fn bus() -> Rc<Bus> {
    if let Some(bus) = BUS.with(|bus| bus.get().cloned()) {
        return bus;
    }
    let batch =
        BatchOptions { max_size: Some(10), adaptive: Some(false), ..BatchOptions::default() };
    let options = Options { batch: Some(batch), ..Options::default() };
    let created = Bus::create(options).await.expect("the options are right");
    // Another request may have been first.
    BUS.with(|bus| Rc::clone(bus.get_or_init(|| Rc::new(created))))
}

/// An empty answer.
fn answer() -> Response {
    let (trailers, no_trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(Fields::new(), None, no_trailers);
    drop(trailers);
    response.set_status_code(204).expect("204 is a status");
    response
}

//! The sink of the bus: it sends each batch as one POST, and waits for the answer.
#![cfg(target_family = "wasm")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "there are none but those of wit-bindgen")]

mod bindings;

use bindings::exports::shardbus::bus::sink::{Batch, Failure, Guest, Outcome};
use wasip3::cli::environment::get_environment;
use wasip3::http::client;
use wasip3::http::types::{Fields, Method, Request, Scheme};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::spawn_local;

/// The sink.
struct Collector;

bindings::export!(Collector with_types_in bindings);

/// No answer, or none that is understood.
const NO_ANSWER: Failure = Failure::Unavailable(0);

impl Guest for Collector {
    async fn deliver(batch: Batch, _attempt: u32) -> Result<Vec<Outcome>, Failure> {
        let response = client::send(post(batch)).await.map_err(|_| NO_ANSWER)?;
        match response.get_status_code() {
            200..=299 => Ok(Vec::new()),
            408 | 425 | 429 | 502..=504 => Err(Failure::Unavailable(0)),
            413 => Err(Failure::Split),
            500.. => Err(Failure::Refused(0)),
            _ => Err(Failure::Permanent),
        }
    }
}

/// The request for a batch.
fn post(batch: Batch) -> Request {
    let headers = [
        ("content-type".to_owned(), b"application/x-ndjson".to_vec()),
        ("content-length".to_owned(), batch.body.len().to_string().into_bytes()),
        ("idempotency-key".to_owned(), batch.head.id.into_bytes()),
    ];
    let headers = Fields::from_list(&headers).expect("the headers are allowed");
    let (mut writer, body) = wit_stream::new();
    let (trailers, no_trailers) = wit_future::new(|| Ok(None));
    let (request, _sent) = Request::new(headers, Some(body), no_trailers, None);
    drop(trailers);
    spawn_local(async move {
        // Another end of the connection shows in the answer.
        let _rest = writer.write_all(batch.body).await;
    });
    let (_, collector) = get_environment()
        .into_iter()
        .find(|(name, _)| name == "COLLECTOR")
        .expect("COLLECTOR is the URL of the receiver");
    let (authority, path) = collector
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("COLLECTOR is a URL such as `http://127.0.0.1:9000/events`");
    request.set_method(&Method::Post).expect("POST is a method");
    request.set_scheme(Some(&Scheme::Http)).expect("http is a scheme");
    request.set_authority(Some(authority)).expect("COLLECTOR has an authority");
    request.set_path_with_query(Some(&format!("/{path}"))).expect("COLLECTOR has a path");
    request
}

//! The receiver of the batches, by `wasi:http`.

use crate::http_bus as wit;
use shardbus::{Batch, Failure, Format};
use std::time::Duration;
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::OutputStream;

/// No answer, or none that is understood.
pub const NO_ANSWER: Failure = Failure::Unavailable { retry_after: Duration::ZERO };

/// A URL in parts, and the headers of each request.
pub struct Receiver {
    scheme: Scheme,
    authority: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
}

impl Receiver {
    /// The receiver, or the fault of its URL or headers.
    pub fn new(given: wit::Receiver) -> Result<Self, String> {
        let split = |scheme: &str| given.url.strip_prefix(scheme).map(str::to_owned);
        let (scheme, rest) = match (split("https://"), split("http://")) {
            (Some(rest), _) => (Scheme::Https, rest),
            (None, Some(rest)) => (Scheme::Http, rest),
            (None, None) => {
                return Err(format!("`{}` is no URL of the scheme http or https", given.url));
            }
        };
        let start = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(start);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let headers = given.headers.into_iter().map(|(name, value)| (name, value.into_bytes()));
        let receiver = Self {
            scheme,
            authority: authority.to_owned(),
            path: format!("{slash}{path}"),
            headers: headers.collect(),
        };
        match receiver.request("", Format::Ndjson, 0) {
            Some(_) => Ok(receiver),
            None => Err(format!("`{}` or a header is not allowed here", given.url)),
        }
    }

    /// A request without its body; `None` if the host does not allow it.
    fn request(&self, id: &str, format: Format, length: usize) -> Option<OutgoingRequest> {
        let content_type = match format {
            Format::Ndjson => "application/x-ndjson",
            Format::Json => "application/json",
        };
        let mut headers = self.headers.clone();
        headers.push(("content-type".to_owned(), content_type.into()));
        headers.push(("idempotency-key".to_owned(), id.into()));
        let headers = Fields::from_list(&headers).ok()?;
        // Refused by a host that sets it.
        let _ = headers.append("content-length", length.to_string().as_bytes());
        let request = OutgoingRequest::new(headers);
        request.set_method(&Method::Post).ok()?;
        request.set_scheme(Some(&self.scheme)).ok()?;
        request.set_authority(Some(&self.authority)).ok()?;
        request.set_path_with_query(Some(&self.path)).ok()?;
        Some(request)
    }

    /// Sends a batch, and waits for the answer until `end`.
    pub fn send(&self, batch: &Batch, end: u64) -> Result<(), Failure> {
        let response = self.answer(batch, end).ok_or(NO_ANSWER)?;
        let retry_after = retry_after(&response);
        match response.status() {
            200..=299 => Ok(()),
            301 | 302 | 303 | 307 | 308 | 408 | 425 | 429 | 502 | 503 | 504 | 511 => {
                Err(Failure::Unavailable { retry_after })
            }
            413 => Err(Failure::Split),
            500.. => Err(Failure::Refused { retry_after }),
            _ => Err(Failure::Permanent),
        }
    }

    /// The answer; `None` if there is none in time.
    fn answer(&self, batch: &Batch, end: u64) -> Option<IncomingResponse> {
        let request = self.request(&batch.id(), batch.format(), batch.body().len())?;
        let body = request.body().ok()?;
        let options = RequestOptions::new();
        // A host may refuse a timeout. One that takes it gives up the connection in time.
        let timeout = Some(end.saturating_sub(monotonic_clock::now()));
        let _ = options.set_connect_timeout(timeout);
        let _ = options.set_first_byte_timeout(timeout);
        let answer = outgoing_handler::handle(request, Some(options)).ok()?;
        let stream = body.write().ok()?;
        let (has_answer, is_over) = (answer.subscribe(), monotonic_clock::subscribe_instant(end));
        let is_whole = write(&stream, batch.body(), &has_answer, &is_over);
        drop(stream);
        if is_whole {
            OutgoingBody::finish(body, None).ok()?;
            poll(&[&has_answer, &is_over]);
        } else {
            // A receiver may answer, and close the connection, before it has read the body.
            poll(&[&has_answer, &is_over]);
            drop(body);
        }
        answer.get()?.ok()?.ok()
    }
}

/// Writes a body, until there is an answer or the time is over. Returns whether all of it is written.
fn write(stream: &OutputStream, body: &[u8], has_answer: &Pollable, is_over: &Pollable) -> bool {
    let (mut rest, has_room) = (body, stream.subscribe());
    loop {
        poll(&[&has_room, has_answer, is_over]);
        if has_answer.ready() || is_over.ready() {
            return false;
        }
        let Ok(room) = stream.check_write() else { return false };
        if rest.is_empty() {
            return true;
        }
        let (chunk, later) = rest.split_at(rest.len().min(room as usize));
        if stream.write(chunk).is_err() || later.is_empty() && stream.flush().is_err() {
            return false;
        }
        rest = later;
    }
}

/// The pause that the receiver asks for, in whole seconds; none if it asks in another way.
fn retry_after(response: &IncomingResponse) -> Duration {
    let values = response.headers().get("retry-after");
    let seconds = values.first().and_then(|value| str::from_utf8(value).ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

//! An HTTP collector that fails now and then.

use anyhow::{Result, anyhow};
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tiny_http::{Header, Request, Response, Server};

/// Stores every batch once, recognised by its `idempotency-key`. Every fifth has trouble at first: a
/// 503 although it was stored, silence for longer than anybody waits, and a 503 with `Retry-After: 1`,
/// in turn.
pub struct Collector {
    /// Its address.
    pub url: String,
    server: Arc<Server>,
    thread: JoinHandle<Vec<Bytes>>,
}

impl Collector {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn start() -> Result<Self> {
        let server = Server::http("127.0.0.1:0").map_err(|error| anyhow!(error))?;
        let server = Arc::new(server);
        let thread = thread::spawn({
            let server = Arc::clone(&server);
            move || receive(&server)
        });
        Ok(Self { url: format!("http://{}/", server.server_addr()), server, thread })
    }

    /// Stops. Returns the bodies that were stored, in the order of their arrival.
    #[must_use]
    pub fn stop(self) -> Vec<Bytes> {
        self.server.unblock();
        self.thread.join().unwrap_or_default()
    }
}

fn receive(server: &Server) -> Vec<Bytes> {
    let (mut seen, mut stored, mut bodies) = (HashSet::new(), HashSet::new(), Vec::new());
    for mut request in server.incoming_requests() {
        let header = |header: &&Header| header.field.equiv("idempotency-key");
        let id = request.headers().iter().find(header).map(|header| header.value.to_string());
        let mut body = Vec::new();
        let (Some(id), Ok(_)) = (id, request.as_reader().read_to_end(&mut body)) else {
            answer(request, Response::empty(400));
            continue;
        };
        let is_new = seen.insert(id.clone());
        let trouble = (is_new && seen.len().is_multiple_of(5)).then_some(seen.len() / 5 % 3);
        if matches!(trouble, None | Some(1 | 2)) && stored.insert(id) {
            bodies.push(body.into());
        }
        match trouble {
            None => answer(request, Response::empty(204)),
            Some(0) => {
                let header = Header::from_bytes("retry-after", "1").expect("a header in ASCII");
                answer(request, Response::empty(503).with_header(header));
            }
            Some(1) => answer(request, Response::empty(503)),
            // In another thread, so that others are served.
            Some(_) => drop(thread::spawn(move || {
                thread::sleep(Duration::from_secs(3));
                answer(request, Response::empty(204));
            })),
        }
    }
    bodies
}

fn answer(request: Request, response: Response<std::io::Empty>) {
    // The client may have hung up.
    let _ = request.respond(response);
}

//! An endpoint on this machine that stands in for a teacher.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use serde_json::json;

/// What a request brought: its head and its body.
pub type Request = (String, String);

/// What the endpoint says to a request: a status line, headers, and a body in pieces.
pub type Response = (&'static str, &'static str, Vec<Vec<u8>>);

/// An endpoint on this machine that answers every request alike, and hands over what it was sent.
pub fn endpoint(
    status: &'static str,
    headers: &'static str,
    body: String,
) -> (String, mpsc::Receiver<Request>) {
    scripted(vec![(status, headers, vec![body.into_bytes()])])
}

/// An endpoint that answers one request after another, and the last ones alike.
pub fn scripted(responses: Vec<Response>) -> (String, mpsc::Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}/v1", listener.local_addr().expect("address"));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for (count, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().expect("stream"));
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("length");
                }
                head.push_str(&line);
            }
            let mut sent = vec![0; length];
            reader.read_exact(&mut sent).expect("body");
            let _ = sender.send((head, String::from_utf8(sent).expect("UTF-8")));
            let (status, headers, pieces) = &responses[count.min(responses.len() - 1)];
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n"
            );
            for piece in pieces {
                // Whoever has heard enough hangs up.
                if stream
                    .write_all(piece)
                    .and_then(|()| stream.flush())
                    .is_err()
                {
                    break;
                }
            }
        }
    });
    (address, receiver)
}

/// A chat completion that says this.
pub fn completion(content: &str) -> String {
    json!({"choices": [{"message": {"role": "assistant", "content": content}}]}).to_string()
}

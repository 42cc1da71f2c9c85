//! A small static server on this machine only, with the headers that let a page share memory between threads.

use std::convert::Infallible;
use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

/// Where the page is served unless `--port` says otherwise.
pub const DEFAULT_PORT: u16 = 8080;

const TEXT: &str = "text/plain; charset=utf-8";

/// Sent with every answer.
const HEADERS: [(&str, &str); 5] = [
    // These two isolate the page from other origins, which browsers ask of pages that share memory between threads. The
    // stricter `require-corp` would hide from the door whether a server that it may not read is there at all.
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "credentialless"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    // A build that was just made is what the next load shows.
    ("cache-control", "no-cache"),
];

/// A server at work.
pub struct Server {
    port: u16,
    thread: JoinHandle<()>,
}

/// Takes a port on 127.0.0.1. Who asks now waits until [`start`].
pub fn bind(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            anyhow!("port {port} is in use: stop what uses it, or choose another with --port")
        }
        _ => anyhow!("cannot listen on port {port} ({error}): choose another with --port"),
    })
}

/// Serves a folder until the process ends.
pub fn start(listener: TcpListener, folder: &Path) -> Result<Server> {
    if !folder.join("index.html").is_file() {
        bail!(
            "{} is not built: run `cargo xtask build` first",
            folder.display()
        );
    }
    let folder = folder
        .canonicalize()
        .with_context(|| format!("cannot read {}", folder.display()))?;
    let port = listener.local_addr().context("lost the port")?.port();
    listener
        .set_nonblocking(true)
        .with_context(|| format!("cannot serve on port {port}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the server")?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener)
            .with_context(|| format!("cannot serve on port {port}"))?
    };
    let thread = thread::spawn(move || runtime.block_on(accept(listener, folder.into())));
    Ok(Server { port, thread })
}

/// Takes every connection there is, at once: a browser opens several and keeps them, and none may wait for another's end.
async fn accept(listener: tokio::net::TcpListener, folder: Arc<Path>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many files are open, say; those of other programs are closed at some time.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let folder = Arc::clone(&folder);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(&request, &folder);
                async { Ok::<_, Infallible>(answer) }
            });
            // A browser that has gone away is no error of ours.
            let _ = http1::Builder::new()
                .title_case_headers(true)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

impl Server {
    /// Where the page is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Writes the one line on standard output that says the page is there.
    pub fn announce(&self) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "Seedbed is ready at {}", self.url()).and_then(|()| out.flush());
    }

    /// Serves until the process is stopped.
    pub fn wait(self) {
        // A thread that has panicked has said so itself.
        let _ = self.thread.join();
    }
}

/// Answers one request. With its length told, and not in chunks, so that the page can show how far a download is.
fn answer<B: Body>(request: &Request<B>, folder: &Path) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET and HEAD are served here",
        );
        refusal
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    let found = resolve(folder, request.uri().path())
        .and_then(|file| Some((fs::read(&file).ok()?, content_type(&file))));
    match found {
        Some((bytes, kind)) => respond(StatusCode::OK, bytes.into(), kind),
        None => plain(StatusCode::NOT_FOUND, "not found"),
    }
}

/// A short answer in words.
fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    respond(status, Bytes::from_static(text.as_bytes()), TEXT)
}

fn respond(status: StatusCode, body: Bytes, kind: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

/// The file that an address stands for: always one inside `folder` (which must be canonical), whatever the address says.
fn resolve(folder: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?;
    let path = percent_decode(path.strip_prefix('/')?)?;
    let mut file = folder.to_path_buf();
    for part in path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        // A backslash or a colon is a way out on Windows, and no file of the site has one.
        if part == ".." || part.contains(['\\', ':', '\0']) {
            return None;
        }
        file.push(part);
    }
    if file.is_dir() {
        file.push("index.html");
    }
    // Links are followed here, so one that leads out is seen.
    let file = fs::canonicalize(file).ok()?;
    (file.starts_with(folder) && file.is_file()).then_some(file)
}

/// `%41` becomes `A`; nothing when a `%` stands alone or the result is not text.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? * 16 + hex(bytes.next()?)?,
            _ => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

/// The media type for a file's ending. Browsers refuse wasm and modules that come with another one.
fn content_type(file: &Path) -> &'static str {
    let ending = file
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    match ending.as_str() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "jsonl" => "application/x-ndjson; charset=utf-8",
        "txt" | "md" => TEXT,
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream;

    use super::*;

    /// A site, and beside it a secret that must not be served.
    fn site() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path().join("dist");
        fs::create_dir_all(folder.join("sub")).expect("folders");
        fs::write(folder.join("index.html"), "<p>home</p>").expect("write");
        fs::write(folder.join("sub/a b.wasm"), vec![7; 100_000]).expect("write");
        fs::write(place.path().join("secret"), "no").expect("write");
        let folder = folder.canonicalize().expect("canonical");
        (place, folder)
    }

    fn ask(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .expect("send");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("receive");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn addresses_of_the_site_lead_to_its_files() {
        let (_place, folder) = site();
        assert_eq!(resolve(&folder, "/"), Some(folder.join("index.html")));
        assert_eq!(
            resolve(&folder, "/index.html?v=1"),
            Some(folder.join("index.html"))
        );
        assert_eq!(
            resolve(&folder, "/sub/a%20b.wasm"),
            Some(folder.join("sub/a b.wasm"))
        );
        assert_eq!(
            resolve(&folder, "//./sub/./a%20b.wasm"),
            Some(folder.join("sub/a b.wasm"))
        );
    }

    #[test]
    fn no_address_leads_out_of_the_site() {
        let (_place, folder) = site();
        for url in [
            "/../secret",
            "/%2e%2e/secret",
            "/sub/..%2f..%2fsecret",
            "/..%5csecret",
            "/sub/%2E./../secret",
            "/%00",
            "/%",
            "/%zz",
            "/%ff",
            "/+1",
            "/sub",
            "secret",
            "/C:/secret",
            "",
        ] {
            assert_eq!(resolve(&folder, url), None, "{url}");
        }
        let absolute = format!("/{}", folder.with_file_name("secret").display());
        assert_eq!(resolve(&folder, &absolute), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_site_is_not_followed() {
        let (place, folder) = site();
        std::os::unix::fs::symlink(place.path().join("secret"), folder.join("link")).expect("link");
        std::os::unix::fs::symlink(place.path(), folder.join("up")).expect("link");
        assert_eq!(resolve(&folder, "/link"), None);
        assert_eq!(resolve(&folder, "/up/secret"), None);
    }

    #[test]
    fn percent_signs_stand_before_two_hexadecimal_digits() {
        assert_eq!(percent_decode("%C3%a4").as_deref(), Some("ä"));
        assert_eq!(percent_decode("%+1"), None);
        assert_eq!(percent_decode("%4"), None);
    }

    #[test]
    fn wasm_and_modules_have_the_type_that_browsers_ask_for() {
        assert_eq!(content_type(Path::new("a.wasm")), "application/wasm");
        assert_eq!(
            content_type(Path::new("a.b.JS")),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(
            content_type(Path::new("model.safetensors")),
            "application/octet-stream"
        );
        assert_eq!(content_type(Path::new("none")), "application/octet-stream");
    }

    #[test]
    fn answers_carry_length_type_and_isolation() {
        let (_place, folder) = site();
        let server = start(bind(0).expect("a free port"), &folder).expect("serve");
        let got = ask(server.port, "GET /sub/a%20b.wasm");
        let head = ask(server.port, "HEAD /sub/a%20b.wasm");
        for answer in [&got, &head] {
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            for line in [
                "Content-Length: 100000",
                "Content-Type: application/wasm",
                "Cross-Origin-Opener-Policy: same-origin",
                "Cross-Origin-Embedder-Policy: credentialless",
                "X-Content-Type-Options: nosniff",
                "Cache-Control: no-cache",
            ] {
                assert!(
                    answer.contains(&format!("{line}\r\n")),
                    "{line} in {answer:.600}"
                );
            }
        }
        assert!(got.len() > 100_000);
        assert!(head.len() < 1_000, "HEAD has no body");
        assert!(ask(server.port, "GET /../secret").starts_with("HTTP/1.1 404"));
        assert!(ask(server.port, "POST /").starts_with("HTTP/1.1 405"));
    }

    #[test]
    fn many_connections_that_stay_open_are_all_answered() {
        let (_place, folder) = site();
        let server = start(bind(0).expect("a free port"), &folder).expect("serve");
        let mut streams: Vec<TcpStream> = (0..64)
            .map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).expect("connect"))
            .collect();
        for stream in &mut streams {
            stream
                .set_read_timeout(Some(Duration::from_secs(30)))
                .expect("a patience");
            // No `Connection: close`: the server must not wait for one of them to end.
            write!(stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("send");
        }
        for stream in &mut streams {
            let mut line = [0; 15];
            stream.read_exact(&mut line).expect("an answer");
            assert_eq!(&line, b"HTTP/1.1 200 OK");
        }
    }

    #[test]
    fn a_port_in_use_is_named_with_the_remedy() {
        let taken = bind(0).expect("a free port");
        let port = taken.local_addr().expect("an address").port();
        let message = bind(port).expect_err("it is taken").to_string();
        assert!(
            message.contains(&port.to_string()) && message.contains("--port"),
            "{message}"
        );
    }

    #[test]
    fn a_site_that_is_not_built_is_not_served() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let outcome = start(bind(0).expect("a free port"), place.path());
        assert!(outcome.is_err_and(|error| error.to_string().contains("cargo xtask build")));
    }
}

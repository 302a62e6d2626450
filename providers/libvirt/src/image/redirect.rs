//! Servers that lead elsewhere: a real one, over TLS, on this machine.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use ureq::tls::{Certificate, RootCerts};

use super::fetch::{Sources, agent, request};

/// Sends whoever asks for `/N` to the N-th of its arguments.
const SERVER: &str = r#"
import http.server, ssl, sys
class Leads(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/image":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"image")
            return
        known = self.path[1:].isdigit()
        self.send_response(302 if known else 404)
        if known:
            self.send_header("Location", sys.argv[3 + int(self.path[1:])])
        self.end_headers()
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Leads)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = tls.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// A server, until it is dropped.
struct Server {
    process: Child,
    port: u16,
    certificate: Certificate<'static>,
}

impl Server {
    fn start(places: &[&str]) -> Server {
        let directory = tempfile::tempdir().expect("a directory");
        let [certificate, key] = ["own.pem", "own.key"].map(|name| directory.path().join(name));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-nodes",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args([
                "-subj",
                "/CN=127.0.0.1",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-days",
                "2",
            ])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-out")
            .arg(&certificate)
            .arg("-keyout")
            .arg(&key)
            .output()
            .expect("openssl runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut process = Command::new("/usr/bin/python3")
            .args(["-c", SERVER])
            .args([&certificate, &key])
            .args(places)
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut said = String::new();
        let out = process.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut said).expect("a port");
        let port = said.trim().parse().expect("a port");
        let pem = std::fs::read(&certificate).expect("a certificate");
        Server { process, port, certificate: Certificate::from_pem(&pem).expect("PEM") }
    }

    /// What comes of asking for a path, when servers of this machine may be asked.
    fn get(&self, path: &str) -> Result<String, String> {
        let trusted = RootCerts::new_with_certs(std::slice::from_ref(&self.certificate));
        let agent = agent(Sources { private: true }, trusted);
        let answer = request(&format!("https://127.0.0.1:{}/{path}", self.port), &agent);
        let (mut body, _) = answer.map_err(|failure| failure.to_string())?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut body, &mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It does not end by itself; whether it had ended matters to nobody.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_server_leads_to_no_file_and_nothing_unencrypted() {
    let server = Server::start(&[
        "/image",
        "http://169.254.169.254/latest",
        "http://127.0.0.1:1/image",
        "file:///etc/passwd",
        "ftp://127.0.0.1/image",
        "/6",
        "/5",
        "https://127.0.0.1:1/image",
    ]);
    assert_eq!(server.get("image").as_deref(), Ok("image"));
    assert_eq!(server.get("0").as_deref(), Ok("image"), "it may lead to another place of its own");
    for (path, words) in [
        ("1", "leads to \"http://169.254.169.254/latest\", which is not encrypted"),
        ("2", "which is not encrypted"),
        // Taken for a path on the same server, which has none such.
        ("3", "the server says 404"),
        ("4", "ftp://127.0.0.1/image"),
        ("5", "without end"),
        ("7", "refused"),
    ] {
        let error = server.get(path).expect_err(path);
        assert!(error.contains(words), "{path}: {error}");
    }
}

#[test]
fn a_server_inside_is_not_asked_unless_it_may_be() {
    let server = Server::start(&[]);
    let trusted = RootCerts::new_with_certs(std::slice::from_ref(&server.certificate));
    let agent = agent(Sources::default(), trusted);
    let answer = request(&format!("https://127.0.0.1:{}/image", server.port), &agent);
    let error = answer.map(drop).expect_err("it is inside").to_string();
    assert!(error.contains("not public"), "{error}");
}
